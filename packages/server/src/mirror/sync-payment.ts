import type { StripeConnection } from '../stripe/connections.ts';
import { endPurchase } from './end-purchase.ts';
import { fetchPayment, purchaseOfPayment, subscriptionOfPayment } from './fetch-purchase.ts';
import { mergeResults } from './merge-results.ts';
import { recordPayment } from './record-payment.ts';
import { parkedPurchase, savePurchase } from './save-purchase.ts';
import { applyInOrder, type Fetch, takeNumber } from './sequence.ts';
import { syncSessionPurchase } from './sync-session-purchase.ts';
import { syncSubscription } from './sync-subscription.ts';
import type { MirrorDeps, SyncRequest, SyncResult } from './types.ts';

/** A payment intent: of a one-off checkout session its purchase, of a subscription's invoice its subscription. */
export async function syncPayment(deps: MirrorDeps, request: SyncRequest): Promise<SyncResult> {
  const { db, clock } = deps;
  const { id } = request.ref;
  const connection = deps.connections.get(request.connectionId);
  const sequence = await takeNumber(db, connection.id, id);
  const payment = await fetchPayment(connection, id);
  const purchase = payment === null ? null : await purchaseOfPayment(connection, payment);
  if (payment !== null && purchase === null) return await syncInvoicePayment(deps, connection, request);
  const parking = { ref: request.ref, cause: request.cause, detail: parkedPurchase(purchase) };
  const fetch: Fetch = { connectionId: connection.id, objectId: id, sequence, now: clock.now(), parking };
  return await applyInOrder(db, fetch, async (tx) =>
    purchase === null
      ? await endPurchase(tx, connection, id, fetch, request.cause)
      : await savePurchase(tx, connection, purchase, fetch, request),
  );
}

/**
 * The payment of an invoice changes nothing by itself: its subscription says what follows. What was bought beside the
 * subscription was paid with its first invoice, and a refund of that refunds it.
 */
async function syncInvoicePayment(
  deps: MirrorDeps,
  connection: StripeConnection,
  request: SyncRequest,
): Promise<SyncResult> {
  const { id } = request.ref;
  const partOf = request.ref;
  const subscription = await subscriptionOfPayment(connection, id);
  if (subscription === null) {
    return { status: 'ignored', reason: 'payment_without_checkout', projectId: null, customerId: null };
  }
  const result = await syncSubscription(deps, { ...request, partOf, ref: { type: 'subscription', id: subscription } });
  const { projectId, customerId } = result;
  if (projectId !== null && customerId !== null) {
    const none = { checkoutSessionId: null, chargeId: null };
    const payment = { id, projectId, customerId, ...none, subscriptionId: subscription };
    await deps.db.transaction().execute((tx) => recordPayment(tx, connection.id, payment));
  }
  const results = [result];
  for (const session of await sessionsBeside(deps, connection, subscription)) {
    const ref = { type: 'checkout_session' as const, id: session };
    results.push(await syncSessionPurchase(deps, { ...request, partOf, ref }));
  }
  return mergeResults(results) ?? result;
}

/** The sessions in which something was bought beside the subscription: their purchases are kept under their ids. */
async function sessionsBeside(
  { db }: MirrorDeps,
  connection: StripeConnection,
  subscription: string,
): Promise<string[]> {
  const rows = await db
    .selectFrom('tollgate.payments')
    .select('id')
    .where('connection_id', '=', connection.id)
    .where('subscription_id', '=', subscription)
    .whereRef('id', '=', 'checkout_session_id')
    .orderBy('id')
    .execute();
  return rows.map((row) => row.id);
}
