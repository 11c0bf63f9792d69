/** Facts with plain defaults: a test names only what it is about. */
import type { PurchaseFact, SubscriptionFact, SubscriptionItem } from '@tollgate/core';

const DAY_MS = 24 * 60 * 60 * 1000;

/** A subscription of some days ago that is paid for, with one item. */
export function activeSubscription(
  parts: Partial<SubscriptionFact> & { id: string },
  item: Partial<SubscriptionItem> & { priceId: string; productId: string },
): SubscriptionFact {
  const start = Date.now() - 5 * DAY_MS;
  return {
    kind: 'subscription',
    status: 'active',
    items: [
      {
        id: `si_${parts.id}`,
        quantity: 1,
        currentPeriodStart: start,
        currentPeriodEnd: start + 30 * DAY_MS,
        price: null,
        discounts: [],
        ...item,
      },
    ],
    startedAt: start,
    cancelAt: null,
    cancelAtPeriodEnd: false,
    canceledAt: null,
    endedAt: null,
    trialStart: null,
    trialEnd: null,
    trialEndBehavior: 'create_invoice',
    collectionPaused: false,
    pastDueSince: null,
    discounts: [],
    missingPaymentMethod: false,
    ...parts,
  };
}

/** A one-off purchase of five days ago. */
export function paidPurchase(
  parts: Partial<PurchaseFact> & { id: string },
  line: { priceId: string; productId: string; quantity?: number },
): PurchaseFact {
  return {
    kind: 'purchase',
    checkoutSessionId: null,
    status: 'paid',
    paidAt: Date.now() - 5 * DAY_MS,
    lines: [{ quantity: 1, ...line }],
    currency: 'usd',
    amountMinor: 1000,
    refundedMinor: 0,
    refundedAt: null,
    dispute: null,
    ...parts,
  };
}
