import type { Tx } from '../platform/database.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import { currentFact } from './current-fact.ts';
import type { FetchedInvoicePayment, NumberedPayment } from './fetch-invoice-payment.ts';
import { mergeResults } from './merge-results.ts';
import { type PaymentOwner, saveInvoicePayment } from './save-invoice-payment.ts';
import { applyInOrder, type Fetch, holdObjects } from './sequence.ts';
import { syncSessionPurchase } from './sync-session-purchase.ts';
import { syncSubscription } from './sync-subscription.ts';
import type { MirrorDeps, SyncRequest, SyncResult } from './types.ts';

/**
 * The payment of a subscription's invoice: its subscription first, since that says whose it is; then what was refunded or
 * disputed of it; then what was bought beside the subscription and paid with the same invoice.
 */
export async function syncInvoicePayment(
  deps: MirrorDeps,
  connection: StripeConnection,
  request: SyncRequest,
  given: NumberedPayment,
): Promise<SyncResult> {
  const partOf = request.ref;
  const { paid, sequence } = given;
  const subscriptions = [...new Set(paid.paid.map(({ subscriptionId }) => subscriptionId))].sort();
  const results: SyncResult[] = [];
  for (const id of subscriptions) {
    results.push(await syncSubscription(deps, { ...request, partOf, ref: { type: 'subscription', id } }, { given }));
  }
  const fetch: Fetch = {
    connectionId: connection.id,
    objectId: paid.id,
    sequence,
    now: deps.clock.now(),
    parking: null,
  };
  const own = await applyInOrder(deps.db, fetch, (tx) => saveForOwners(tx, subscriptions, paid, fetch, request));
  // Nobody's payment is whatever its subscriptions are.
  if (own.status !== 'ignored') results.push(own);
  for (const session of await sessionsBeside(deps, connection, subscriptions)) {
    const ref = { type: 'checkout_session' as const, id: session };
    results.push(await syncSessionPurchase(deps, { ...request, partOf, ref }));
  }
  return mergeResults(results) ?? own;
}

const NOBODYS: SyncResult = {
  status: 'ignored',
  reason: 'subscription_not_kept',
  projectId: null,
  customerId: null,
};

async function saveForOwners(
  tx: Tx,
  subscriptions: readonly string[],
  paid: FetchedInvoicePayment,
  fetch: Fetch,
  { cause }: SyncRequest,
): Promise<SyncResult> {
  // A subscription that goes to somebody else just now takes along the payments that it finds, and not this one.
  await holdObjects(tx, fetch.connectionId, subscriptions);
  const owners = await ownersOf(tx, fetch.connectionId, subscriptions);
  const [owner, ...others] = owners;
  if (owner === undefined) return NOBODYS;
  return await saveInvoicePayment(tx, [owner, ...others], paid, fetch, cause);
}

/** Whoever has the subscriptions that it paid for, each customer once. */
async function ownersOf(tx: Tx, connectionId: string, subscriptions: readonly string[]): Promise<PaymentOwner[]> {
  const owners = new Map<string, PaymentOwner>();
  for (const id of subscriptions) {
    const known = await currentFact(tx, connectionId, 'subscription', id);
    if (known !== undefined && !owners.has(known.customerId)) owners.set(known.customerId, known);
  }
  return [...owners.values()];
}

/** The sessions in which something was bought beside the subscription: their purchases are kept under their ids. */
async function sessionsBeside(
  { db }: MirrorDeps,
  connection: StripeConnection,
  subscriptions: readonly string[],
): Promise<string[]> {
  const rows = await db
    .selectFrom('tollgate.payments')
    .select('checkout_session_id')
    .where('connection_id', '=', connection.id)
    .where('subscription_id', 'in', subscriptions)
    .where('checkout_session_id', 'is not', null)
    .orderBy('checkout_session_id')
    .execute();
  return rows.flatMap(({ checkout_session_id }) => checkout_session_id ?? []);
}
