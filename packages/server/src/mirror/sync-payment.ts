import { wakeParked } from '../catalog/wake-parked.ts';
import { lockCustomer } from '../customers/lock.ts';
import type { Tx } from '../platform/database.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import type { AttributionHints } from './attribute.ts';
import { currentFact } from './current-fact.ts';
import { type FetchedPurchase, fetchPayment, purchaseOfPayment, subscriptionOfPayment } from './fetch-purchase.ts';
import { linkStripeCustomer } from './link-customer.ts';
import { lockOwner } from './owner.ts';
import { isPurchase, purchaseFact, purchaseId } from './purchase-fact.ts';
import { recordPayment } from './record-payment.ts';
import { saveOwned } from './save-owned.ts';
import { applyInOrder, type Fetch, takeNumber } from './sequence.ts';
import { sessionHints } from './session-hints.ts';
import { type CustomerShape, idOf } from './shapes.ts';
import { syncSubscription } from './sync-subscription.ts';
import type { MirrorDeps, SyncRequest, SyncResult } from './types.ts';

/** A payment intent: of a one-off checkout session its purchase, of a subscription's invoice its subscription. */
export async function syncPayment(deps: MirrorDeps, request: SyncRequest): Promise<SyncResult> {
  const { db, clock } = deps;
  const { id } = request.ref;
  const connection = deps.connections.get(request.connectionId);
  const sequence = await takeNumber(db, connection.id, id);
  const payment = await fetchPayment(connection, id);
  const fetch = (): Fetch => ({ connectionId: connection.id, objectId: id, sequence, now: clock.now() });
  if (payment === null) return await endPurchase(deps, request, fetch());
  const purchase = await purchaseOfPayment(connection, payment);
  if (purchase === null) return await syncInvoicePayment(deps, connection, request);
  const now = fetch();
  return await applyInOrder(db, now, (tx) => savePurchase(tx, connection, purchase, now, request));
}

/** What a purchase says about whose it is. */
export function purchaseHints(purchase: FetchedPurchase): AttributionHints {
  const { intent, session, lines } = purchase;
  const ofSession = sessionHints(session);
  const customer = customerOf(purchase);
  return {
    ...ofSession,
    known: [{ kind: 'purchase', id: purchaseId(purchase) }, ...ofSession.known],
    metadata: [intent?.metadata, ...ofSession.metadata],
    stripeCustomer: customer === null ? null : { id: customer.id, metadata: customer.metadata ?? null },
    priceIds: lines.flatMap(({ price }) => (price === null ? [] : [price.id])),
    productIds: lines.flatMap(({ price }) => (price === null ? [] : [idOf(price.product)])),
  };
}

/** Saves a purchase for whoever made it; in the transaction of the object that was fetched. */
export async function savePurchase(
  tx: Tx,
  connection: StripeConnection,
  purchase: FetchedPurchase,
  fetch: Fetch,
  { cause }: SyncRequest,
): Promise<SyncResult> {
  const id = purchaseId(purchase);
  const known = await currentFact(tx, connection.id, 'purchase', id);
  if (known === undefined && !isPurchase(purchase)) {
    return { status: 'ignored', reason: 'nothing_bought', projectId: null, customerId: null };
  }
  const owner = await lockOwner(tx, connection, purchaseHints(purchase), fetch.now);
  if ('refused' in owner) return owner.refused;
  const { customer } = owner;
  const stripeCustomer = customerOf(purchase);
  if (stripeCustomer !== null) await linkStripeCustomer(tx, customer, stripeCustomer, fetch.now);
  const owned = { projectId: customer.project_id, customerId: customer.id };
  await recordPayment(tx, connection.id, {
    ...owned,
    id,
    checkoutSessionId: purchase.session.id,
    chargeId: purchase.charge?.id ?? null,
    subscriptionId: null,
  });
  if (known === undefined) await wakeParked(tx, connection.id, id);
  return await saveOwned(tx, { ...owned, fact: purchaseFact(purchase), fetch, cause });
}

function customerOf({ intent, session }: FetchedPurchase): CustomerShape | null {
  const customer = intent?.customer ?? session.customer;
  return typeof customer === 'string' ? { id: customer } : customer;
}

/** A renewal's payment changes nothing by itself: its subscription says what follows. */
async function syncInvoicePayment(
  deps: MirrorDeps,
  connection: StripeConnection,
  request: SyncRequest,
): Promise<SyncResult> {
  const { id } = request.ref;
  const subscription = await subscriptionOfPayment(connection, id);
  if (subscription === null) {
    return { status: 'ignored', reason: 'payment_without_checkout', projectId: null, customerId: null };
  }
  const result = await syncSubscription(deps, { ...request, ref: { type: 'subscription', id: subscription } });
  const { projectId, customerId } = result;
  if (projectId !== null && customerId !== null) {
    await deps.db.transaction().execute((tx) =>
      recordPayment(tx, connection.id, {
        id,
        projectId,
        customerId,
        checkoutSessionId: null,
        chargeId: null,
        subscriptionId: subscription,
      }),
    );
  }
  return result;
}

/** Stripe has the payment no more (test data that was deleted): what it bought ends, its history stays. */
async function endPurchase({ db }: MirrorDeps, { ref, cause }: SyncRequest, fetch: Fetch): Promise<SyncResult> {
  return await applyInOrder(db, fetch, async (tx) => {
    const known = await currentFact(tx, fetch.connectionId, 'purchase', ref.id);
    if (known === undefined) {
      return { status: 'ignored', reason: 'missing_in_stripe', projectId: null, customerId: null };
    }
    const { projectId, customerId } = known;
    await lockCustomer(tx, customerId);
    return await saveOwned(tx, { projectId, customerId, fact: { ...known.fact, status: 'failed' }, fetch, cause });
  });
}
