import type { Tx } from '../platform/database.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import type { AttributionHints } from './attribute.ts';
import { currentFact } from './current-fact.ts';
import type { FetchedPurchase } from './fetch-purchase.ts';
import { linkStripeCustomer } from './link-customer.ts';
import { lockOwner } from './owner.ts';
import { emailHint, NO_DETAIL, type ParkedDetail } from './parked-object.ts';
import { idOf, idOrNull } from './parse-shape.ts';
import { isPurchase, purchaseFact, purchaseId } from './purchase-fact.ts';
import { recordPayment } from './record-payment.ts';
import { saveOwned } from './save-owned.ts';
import type { Fetch } from './sequence.ts';
import { sessionHints } from './session-hints.ts';
import type { CustomerShape } from './shapes.ts';
import type { SyncRequest, SyncResult } from './types.ts';
import { wakeOwnEvents } from './wake-own-events.ts';

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

/** What helps a person who has to say whose a purchase is. */
export function parkedPurchase(purchase: FetchedPurchase | null): ParkedDetail {
  if (purchase === null) return NO_DETAIL;
  const { priceIds, productIds } = purchaseHints(purchase);
  const { currency, amountMinor: amount } = purchaseFact(purchase);
  const customer = customerOf(purchase);
  return {
    stripe_customer_id: customer?.id ?? null,
    email_hint: emailHint(purchase.session.customer_details?.email ?? customer?.email),
    price_ids: priceIds,
    product_ids: productIds,
    amount: { currency, amount },
  };
}

/** Saves a purchase for whoever made it; in the transaction of the object that was fetched. */
export async function savePurchase(
  tx: Tx,
  connection: StripeConnection,
  purchase: FetchedPurchase,
  fetch: Fetch,
  request: SyncRequest,
): Promise<SyncResult> {
  const id = purchaseId(purchase);
  const known = await currentFact(tx, connection.id, 'purchase', id);
  if (known === undefined && !isPurchase(purchase)) {
    return { status: 'ignored', reason: 'nothing_bought', projectId: null, customerId: null };
  }
  const owner = await lockOwner(tx, connection, purchaseHints(purchase), fetch.now);
  if ('refused' in owner) return owner.refused;
  const { customer, proven, displaced } = owner;
  const stripeCustomer = customerOf(purchase);
  if (proven && stripeCustomer !== null) await linkStripeCustomer(tx, customer, stripeCustomer, fetch.now);
  const owned = { projectId: customer.project_id, customerId: customer.id };
  await recordPayment(tx, connection.id, {
    ...owned,
    id,
    checkoutSessionId: purchase.session.id,
    chargeId: purchase.charge?.id ?? null,
    subscriptionId: idOrNull(purchase.session.subscription),
  });
  if (known === undefined) await wakeOwnEvents(tx, request);
  return await saveOwned(tx, { ...owned, displaced, fact: purchaseFact(purchase), fetch, cause: request.cause });
}

function customerOf({ intent, session }: FetchedPurchase): CustomerShape | null {
  const customer = intent?.customer ?? session.customer;
  return typeof customer === 'string' ? { id: customer } : customer;
}
