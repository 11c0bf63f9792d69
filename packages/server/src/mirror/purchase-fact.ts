import type { Instant, PurchaseFact, PurchaseLine } from '@tollgate/core';
import type { FetchedPurchase } from './fetch-purchase.ts';
import { disputeOf, refunded } from './money-back.ts';
import { idOf } from './parse-shape.ts';
import type { LineItemShape } from './shapes.ts';
import type { ObjectRef } from './types.ts';

/**
 * The purchase's business key: ten events about one payment make one purchase. Where nothing had to be paid, or the
 * payment is that of a subscription's first invoice, it is the session.
 */
export function purchaseId({ intent, session }: Pick<FetchedPurchase, 'intent' | 'session'>): string {
  return session.mode === 'payment' && intent !== null ? intent.id : session.id;
}

/** What the mirror syncs to bring a purchase up to date. @param id - `purchaseId` */
export function purchaseRef(id: string): ObjectRef {
  return { type: id.startsWith('cs_') ? 'checkout_session' : 'payment', id };
}

/**
 * Whether anything was bought: an open page, and one that was left, are no purchase. A payment that went through counts
 * whatever the page says, since the page is told later.
 */
export function isPurchase({ intent, session }: Pick<FetchedPurchase, 'intent' | 'session'>): boolean {
  if (session.status === 'complete') return true;
  return intent !== null && (intent.status === 'succeeded' || intent.status === 'processing');
}

/** A one-off purchase as a fact. Pure: webhooks and reconciliation make the same fact of the same answers. */
export function purchaseFact(fetched: FetchedPurchase): PurchaseFact {
  const { intent, session } = fetched;
  const status = statusOf(fetched);
  const amountMinor = amountOf(fetched);
  return {
    kind: 'purchase',
    id: purchaseId(fetched),
    checkoutSessionId: session.id,
    status,
    paidAt: status === 'paid' ? paidAt(fetched) : null,
    lines: fetched.lines.flatMap(lineOf),
    currency: intent?.currency ?? session.currency ?? '',
    amountMinor,
    ...refunded(fetched.refunds, amountMinor),
    dispute: disputeOf(fetched.disputes),
  };
}

/** The payment intent is the truth of a payment; without one the session says that nothing had to be paid. */
function statusOf({ intent, session }: FetchedPurchase): PurchaseFact['status'] {
  if (intent === null) {
    const settled = session.payment_status === 'paid' || session.payment_status === 'no_payment_required';
    return session.status === 'complete' && settled ? 'paid' : 'pending';
  }
  switch (intent.status) {
    case 'succeeded':
      return 'paid';
    case 'canceled':
    // On a completed page, a payment method that settles later did not: Stripe asks for another.
    case 'requires_payment_method':
      return 'failed';
    default:
      // Under way, or a status that Stripe invents tomorrow: nothing is granted for it.
      return 'pending';
  }
}

function paidAt({ charge, intent, session }: FetchedPurchase): Instant {
  return (charge?.created ?? intent?.created ?? session.created) * 1000;
}

function amountOf({ intent, session }: FetchedPurchase): number {
  if (intent === null) return session.amount_total ?? 0;
  return intent.status === 'succeeded' ? intent.amount_received : intent.amount;
}

function lineOf({ price, quantity }: LineItemShape): PurchaseLine[] {
  if (price === null) return [];
  return [{ priceId: price.id, productId: idOf(price.product), quantity: quantity ?? 1 }];
}
