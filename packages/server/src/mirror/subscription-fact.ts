import type { Discount, Instant, PriceTerms, SubscriptionFact, SubscriptionItem } from '@tollgate/core';
import type { FetchedSubscription } from './fetch-subscription.ts';
import { idOf } from './parse-shape.ts';
import type { DiscountShape, ItemShape, PriceShape, SubscriptionShape } from './shapes.ts';

/** Statuses that a subscription never leaves. */
const ENDED = new Set(['canceled', 'incomplete_expired']);

export function hasEnded(status: string): boolean {
  return ENDED.has(status);
}

/** Whether Stripe itself said that it has ended: then nothing that is read of it later can say otherwise. */
export function hasEndedForGood({ status, notFound }: SubscriptionFact): boolean {
  return hasEnded(status) && notFound !== true;
}

/** Whether it has begun, and what it began with is paid. */
export function isPaidFor({ status, firstPayment }: SubscriptionFact): boolean {
  return status !== 'incomplete' && status !== 'incomplete_expired' && firstPayment === undefined;
}

/** Every status that Stripe has today. One that it invents grants nothing until somebody has decided what it means. */
const KNOWN = new Set(['active', 'trialing', 'past_due', 'unpaid', 'incomplete', 'paused', ...ENDED]);

export function isKnownStatus(status: string): boolean {
  return KNOWN.has(status);
}

/**
 * A subscription as a fact. Pure: webhooks and reconciliation make the same fact of the same answers of Stripe's.
 * @throws Error when the answers are not complete (`completeSubscription` sees to that)
 */
export function subscriptionFact(fetched: FetchedSubscription): SubscriptionFact {
  const { subscription: sub } = fetched;
  return {
    kind: 'subscription',
    id: sub.id,
    status: sub.status,
    // Lists of items come in no order that Stripe promises: equal states must give equal facts.
    items: fetched.items
      .map((item) => itemOf(item, sub.currency))
      .sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)),
    startedAt: instant(sub.start_date),
    cancelAt: instantOrNull(sub.cancel_at),
    cancelAtPeriodEnd: sub.cancel_at_period_end,
    canceledAt: instantOrNull(sub.canceled_at),
    endedAt: instantOrNull(sub.ended_at),
    trialStart: instantOrNull(sub.trial_start),
    trialEnd: instantOrNull(sub.trial_end),
    trialEndBehavior: trialEndBehavior(sub),
    collectionPaused: sub.pause_collection !== null,
    pastDueSince: pastDueSince(fetched),
    discounts: sub.discounts.flatMap((discount) => discountOf(discount, sub.currency)),
    missingPaymentMethod: missingPaymentMethod(fetched),
    ...(fetched.firstPayment ? { firstPayment: fetched.firstPayment } : {}),
  };
}

/**
 * The same subscription, over: what a fact becomes when Stripe has its customer no more. One that has ended already
 * stays as it is.
 */
export function endedFact(fact: SubscriptionFact, at: Instant): SubscriptionFact {
  if (hasEnded(fact.status)) return fact;
  return { ...fact, status: 'canceled', canceledAt: fact.canceledAt ?? at, endedAt: fact.endedAt ?? at };
}

/** The same subscription, over because Stripe does not find it; until Stripe finds it again. */
export function notFoundFact(fact: SubscriptionFact, at: Instant): SubscriptionFact {
  return hasEnded(fact.status) ? fact : { ...endedFact(fact, at), notFound: true };
}

/**
 * When the payment that is owed fell due: the oldest open invoice that is newer than the last paid one. It is read
 * from Stripe each time and never from our clock, so that no late event can begin the grace anew.
 */
function pastDueSince({ subscription, items, openInvoices, lastPaidInvoice }: FetchedSubscription): Instant | null {
  if (subscription.status === 'canceled') {
    // Its invoices are not asked for, since it gives nothing any more; this says what it gave.
    const unpaid = subscription.cancellation_details?.reason === 'payment_failed' && items.length > 0;
    return unpaid ? instant(Math.max(...items.map((item) => item.current_period_start))) : null;
  }
  const paidUntil = lastPaidInvoice?.created ?? Number.NEGATIVE_INFINITY;
  const owed = openInvoices.filter((invoice) => invoice.created > paidUntil).sort((a, b) => a.created - b.created);
  const [oldest] = owed;
  if (oldest === undefined) return null;
  return instant(oldest.due_date ?? oldest.status_transitions.finalized_at ?? oldest.created);
}

function trialEndBehavior(sub: SubscriptionShape): SubscriptionFact['trialEndBehavior'] {
  const behavior = sub.trial_settings?.end_behavior.missing_payment_method;
  return behavior === 'cancel' || behavior === 'pause' ? behavior : 'create_invoice';
}

/** Stripe takes the subscription's payment method, or else the customer's default one. */
function missingPaymentMethod({ subscription: sub, customer }: FetchedSubscription): boolean {
  if (sub.status !== 'trialing' || trialEndBehavior(sub) === 'create_invoice') return false;
  return (
    sub.default_payment_method === null &&
    (sub.default_source ?? null) === null &&
    (customer.invoice_settings?.default_payment_method ?? null) === null &&
    (customer.default_source ?? null) === null
  );
}

function itemOf(item: ItemShape, currency: string): SubscriptionItem {
  const metered = item.price.recurring?.usage_type === 'metered';
  return {
    id: item.id,
    priceId: item.price.id,
    productId: idOf(item.price.product),
    quantity: metered ? null : (item.quantity ?? null),
    currentPeriodStart: instant(item.current_period_start),
    currentPeriodEnd: instant(item.current_period_end),
    price: termsOf(item.price),
    discounts: item.discounts.flatMap((discount) => discountOf(discount, currency)),
  };
}

const INTERVALS = ['day', 'week', 'month', 'year'] as const;

function termsOf(price: PriceShape): PriceTerms {
  const interval = price.recurring?.interval;
  return {
    currency: price.currency,
    unitAmount: price.unit_amount,
    unitAmountDecimal: decimal(price.unit_amount_decimal),
    interval: INTERVALS.find((known) => known === interval) ?? null,
    intervalCount: price.recurring?.interval_count ?? 1,
    usageType: price.recurring?.usage_type === 'metered' ? 'metered' : 'licensed',
    billingScheme: price.billing_scheme === 'tiered' ? 'tiered' : 'per_unit',
    tiersMode: price.tiers_mode === 'graduated' || price.tiers_mode === 'volume' ? price.tiers_mode : null,
    tiers: (price.tiers ?? []).map((tier) => ({
      upTo: tier.up_to,
      unitAmountDecimal: decimal(tier.unit_amount_decimal),
      flatAmountDecimal: decimal(tier.flat_amount_decimal),
    })),
    transformQuantity: price.transform_quantity
      ? {
          divideBy: price.transform_quantity.divide_by,
          round: price.transform_quantity.round === 'up' ? 'up' : 'down',
        }
      : null,
  };
}

/** A discount without a coupon takes nothing off. @param paidIn - the currency that the subscription is paid in */
function discountOf(discount: string | DiscountShape, paidIn: string): Discount[] {
  if (typeof discount === 'string' || typeof discount.source.coupon === 'string') {
    throw new Error('A discount was not expanded.');
  }
  const { coupon } = discount.source;
  if (coupon === null) return [];
  const { duration, applies_to: limit } = coupon;
  const option = coupon.currency === paidIn ? undefined : coupon.currency_options?.[paidIn];
  return [
    {
      duration: duration === 'forever' || duration === 'once' ? duration : 'repeating',
      percentOff: coupon.percent_off,
      amountOff: option?.amount_off ?? coupon.amount_off,
      currency: option === undefined ? coupon.currency : paidIn,
      end: instantOrNull(discount.end),
      // Lists come in no order that Stripe promises.
      ...(limit ? { appliesTo: [...limit.products].sort() } : {}),
    },
  ];
}

function decimal(value: { toString(): string } | null | undefined): string | null {
  return value === null || value === undefined ? null : String(value);
}

function instant(seconds: number): Instant {
  return seconds * 1000;
}

function instantOrNull(seconds: number | null): Instant | null {
  return seconds === null ? null : instant(seconds);
}
