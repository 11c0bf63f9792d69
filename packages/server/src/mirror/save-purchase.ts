import type { PurchaseFact } from '@tollgate/core';
import type { Tx } from '../platform/database.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import type { AttributionHints } from './attribute.ts';
import { currentFact } from './current-fact.ts';
import type { FetchedPurchase } from './fetch-purchase.ts';
import { linkStripeCustomer } from './link-customer.ts';
import { lockOwner } from './owner.ts';
import { emailHint, NO_DETAIL, type ParkedDetail } from './parked-detail.ts';
import { idOf, idOrNull } from './parse-shape.ts';
import { isPurchase, purchaseFact, purchaseId } from './purchase-fact.ts';
import { recordMoneyBack } from './record-money-back.ts';
import { recordPayments } from './record-payment.ts';
import { saveOwned } from './save-owned.ts';
import { type Fetch, holdObjects } from './sequence.ts';
import { sessionHints } from './session-hints.ts';
import type { CustomerShape } from './shapes.ts';
import type { Payer, SyncRequest, SyncResult } from './types.ts';
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
  const stripeCustomer = customerOf(purchase);
  // It cannot be deleted unseen while it is linked.
  if (stripeCustomer !== null) await holdObjects(tx, connection.id, [stripeCustomer.id]);
  const declared = request.declared?.(payerOf(purchase));
  const owner = await lockOwner(tx, connection, { ...purchaseHints(purchase), declared }, fetch.now);
  if ('refused' in owner) return owner.refused;
  const { customer, proven, displaced } = owner;
  if (proven && stripeCustomer !== null) await linkStripeCustomer(tx, customer, stripeCustomer, fetch.now);
  const owned = { projectId: customer.project_id, customerId: customer.id };
  const fact = purchaseFact(purchase);
  await recordPurchase(tx, connection.id, owned, purchase, fact);
  if (known === undefined) await wakeOwnEvents(tx, request);
  return await saveOwned(tx, { ...owned, displaced, fact, fetch, cause: request.cause });
}

/**
 * In the ledger stands the payment. What was bought beside a subscription was paid with its first invoice, which tells of
 * the whole amount, and of the refunds.
 */
async function recordPurchase(
  tx: Tx,
  connectionId: string,
  owned: { projectId: string; customerId: string },
  purchase: FetchedPurchase,
  fact: PurchaseFact,
): Promise<void> {
  const { intent, session, charge } = purchase;
  const id = intent?.id ?? session.id;
  const beside = intent !== null && session.mode !== 'payment';
  const payment = {
    ...owned,
    id,
    status: fact.status,
    currency: fact.currency,
    amountMinor: fact.amountMinor,
    createdAt: (intent?.created ?? session.created) * 1000,
    paidAt: fact.paidAt,
    lines: fact.lines.map(({ priceId, productId, quantity }) => ({ price: priceId, product: productId, quantity })),
    checkoutSessionId: session.id,
    chargeId: charge?.id ?? null,
    invoiceId: null,
    subscriptionId: idOrNull(session.subscription),
    periodStart: null,
    periodEnd: null,
  };
  await recordPayments(tx, connectionId, [payment], beside ? 'part' : 'whole');
  if (!beside) await recordMoneyBack(tx, connectionId, { ...owned, id }, purchase);
}

/** Who pays through a link need not become a customer. */
export function payerOf(purchase: FetchedPurchase): Payer {
  return customerOf(purchase) ?? { id: null, email: purchase.session.customer_details?.email ?? null };
}

function customerOf({ intent, session }: FetchedPurchase): CustomerShape | null {
  const customer = intent?.customer ?? session.customer;
  return typeof customer === 'string' ? { id: customer } : customer;
}
