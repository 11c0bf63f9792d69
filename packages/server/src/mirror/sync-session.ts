import type { Selectable } from 'kysely';
import type { Tx } from '../platform/database.ts';
import type { Schema } from '../schema.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import { fetchSession, purchaseOfSession } from './fetch-purchase.ts';
import { applyInOrder, type Fetch, takeNumber } from './sequence.ts';
import { sessionHints } from './session-hints.ts';
import { idOrNull, type SessionShape } from './shapes.ts';
import { savePurchase, syncPayment } from './sync-payment.ts';
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
  if (session === null) return { status: 'ignored', reason: 'missing_in_stripe', projectId: null, customerId: null };
  const bought = await syncBought(deps, request, session);
  const free = bought === null && session.status === 'complete' ? await purchaseOfSession(connection, session) : null;
  const fetch: Fetch = { connectionId: connection.id, objectId: id, sequence, now: clock.now() };
  let result = bought;
  const own = await applyInOrder(db, fetch, async (tx) => {
    if (free !== null) result = await savePurchase(tx, connection, free, fetch, request);
    const row = await lockSession(tx, connection, id);
    if (row === undefined) return result ?? NOTHING_BOUGHT;
    const changed = await saveSession(tx, row, session, result, fetch.now);
    // The session's own state is saved in order, whether or not what was bought in it could be.
    const { project_id: projectId, customer_id: customerId } = row;
    return { status: changed ? 'applied' : 'unchanged', reason: null, projectId, customerId };
  });
  return own.status === 'stale' ? (bought ?? own) : (result ?? own);
}

/** @returns null when the session holds nothing that has an object of its own */
async function syncBought(deps: MirrorDeps, request: SyncRequest, session: SessionShape): Promise<SyncResult | null> {
  const subscription = idOrNull(session.subscription);
  if (subscription !== null) {
    const ref = { type: 'subscription' as const, id: subscription };
    return await syncSubscription(deps, { ...request, ref }, sessionHints(session));
  }
  const payment = idOrNull(session.payment_intent);
  if (session.mode !== 'payment' || payment === null) return null;
  return await syncPayment(deps, { ...request, ref: { type: 'payment', id: payment } });
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
  bought: SyncResult | null,
  now: number,
): Promise<boolean> {
  const state = {
    status: session.status ?? row.status,
    payment_status: session.payment_status,
    applied: row.applied || isApplied(session, bought),
  };
  const changed =
    state.status !== row.status || state.payment_status !== row.payment_status || state.applied !== row.applied;
  if (!changed) return false;
  await tx
    .updateTable('tollgate.checkout_sessions')
    .set({ ...state, updated_at: new Date(now) })
    .where('id', '=', row.id)
    .execute();
  return true;
}

/** What was bought is known here, and paid as far as Stripe is concerned: a success page may show it. */
function isApplied(session: SessionShape, bought: SyncResult | null): boolean {
  if (session.status !== 'complete' || session.payment_status === 'unpaid') return false;
  return bought !== null && bought.status !== 'ignored' && bought.status !== 'parked';
}
