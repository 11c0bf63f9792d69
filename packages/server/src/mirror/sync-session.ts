import type { Selectable } from 'kysely';
import type { Tx } from '../platform/database.ts';
import type { Schema } from '../schema.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import { currentFact } from './current-fact.ts';
import { fetchSession } from './fetch-purchase.ts';
import { mergeResults } from './merge-results.ts';
import { idOrNull } from './parse-shape.ts';
import { applyInOrder, type Fetch, takeNumber } from './sequence.ts';
import { sessionHints } from './session-hints.ts';
import type { SessionShape } from './shapes.ts';
import { isPaidFor } from './subscription-fact.ts';
import { syncPayment } from './sync-payment.ts';
import { syncSessionPurchase } from './sync-session-purchase.ts';
import { syncSubscription } from './sync-subscription.ts';
import type { MirrorDeps, SyncRequest, SyncResult } from './types.ts';

const NOTHING_BOUGHT: SyncResult = { status: 'ignored', reason: 'nothing_bought', projectId: null, customerId: null };

type SessionRow = Selectable<Schema['tollgate.checkout_sessions']>;

/**
 * A checkout session, with what was bought in it: its subscription, its payment, or the purchase that cost nothing.
 * The result tells of what was bought; of the session itself where nothing was yet.
 */
export async function syncSession(deps: MirrorDeps, request: SyncRequest): Promise<SyncResult> {
  const { db, clock } = deps;
  const { id } = request.ref;
  const connection = deps.connections.get(request.connectionId);
  const sequence = await takeNumber(db, connection.id, id);
  const session = await fetchSession(connection, id);
  if (session === null) return await syncSessionPurchase(deps, request);
  const results = await syncBought(deps, request, session);
  const bought = mergeResults(results);
  // Only what was bought in it can be somebody's.
  const fetch: Fetch = { connectionId: connection.id, objectId: id, sequence, now: clock.now(), parking: null };
  const own = await applyInOrder(db, fetch, async (tx) => {
    const row = await lockSession(tx, connection, id);
    if (row === undefined) return NOTHING_BOUGHT;
    const changed = await saveSession(tx, row, session, results, fetch.now);
    // The session's own state is saved in order, whether or not what was bought in it could be.
    const { project_id: projectId, customer_id: customerId } = row;
    return { status: changed ? 'applied' : 'unchanged', reason: null, projectId, customerId };
  });
  return bought ?? own;
}

/** Brings up to date whatever came out of the session. */
async function syncBought(deps: MirrorDeps, request: SyncRequest, session: SessionShape): Promise<SyncResult[]> {
  const results: SyncResult[] = [];
  const partOf = request.ref;
  const subscription = idOrNull(session.subscription);
  if (subscription !== null) {
    const ref = { type: 'subscription' as const, id: subscription };
    results.push(await syncSubscription(deps, { ...request, partOf, ref }, { session: sessionHints(session) }));
  }
  const payment = idOrNull(session.payment_intent);
  if (session.mode === 'payment' && payment !== null) {
    results.push(await syncPayment(deps, { ...request, partOf, ref: { type: 'payment', id: payment } }));
  } else if (session.status === 'complete') {
    const result = await syncSessionPurchase(deps, request);
    // Most subscriptions are sold alone.
    if (result.reason !== 'nothing_bought') results.push(result);
  }
  return results;
}

async function lockSession(tx: Tx, connection: StripeConnection, id: string): Promise<SessionRow | undefined> {
  return await tx
    .selectFrom('tollgate.checkout_sessions')
    .selectAll()
    .where('id', '=', id)
    .where('connection_id', '=', connection.id)
    .forUpdate()
    .executeTakeFirst();
}

/** @returns whether the row says anything new */
async function saveSession(
  tx: Tx,
  row: SessionRow,
  session: SessionShape,
  bought: readonly SyncResult[],
  now: number,
): Promise<boolean> {
  const state = {
    status: session.status ?? row.status,
    payment_status: session.payment_status,
    applied: row.applied || (isKept(session, bought) && (await isSettled(tx, row, session))),
  };
  const changed =
    state.status !== row.status || state.payment_status !== row.payment_status || state.applied !== row.applied;
  if (!changed) return false;
  await tx
    .updateTable('tollgate.checkout_sessions')
    .set({ ...state, updated_at: new Date(now) })
    .where('connection_id', '=', row.connection_id)
    .where('id', '=', row.id)
    .execute();
  return true;
}

/** What was bought is known here. */
function isKept(session: SessionShape, bought: readonly SyncResult[]): boolean {
  if (session.status !== 'complete') return false;
  return bought.length > 0 && bought.every(({ status }) => status !== 'ignored' && status !== 'parked');
}

/** And paid for: a success page may show it. Of a subscription its fact says so, by which checks go too. */
async function isSettled(tx: Tx, row: SessionRow, session: SessionShape): Promise<boolean> {
  const id = idOrNull(session.subscription);
  const sold = id === null ? undefined : await currentFact(tx, row.connection_id, 'subscription', id);
  return sold === undefined ? session.payment_status !== 'unpaid' : isPaidFor(sold.fact);
}
