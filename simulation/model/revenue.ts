/** Monthly recurring revenue, added up from Stripe's own subscriptions. */
import type { World } from '../../packages/stripe-sandbox/src/world.ts';
import { allSubscriptions } from './stripe-state.ts';

/** So many of each interval's periods make a year. */
const A_YEAR = { day: 365n, week: 52n, month: 12n, year: 1n };
/** Of a month's worth: 12 months a year, up to six intervals in a period, and percents. */
const PARTS = 12n * 60n * 100n;

type Subscription = ReturnType<typeof allSubscriptions>[number];

/** In the currency's minor units, rounded once; half away from zero. @param counts - whether a subscription is the project's */
export function monthlyRevenue(world: World, counts: (sub: Subscription) => boolean): number {
  let sum = 0n;
  for (const sub of allSubscriptions(world)) {
    if ((sub.status === 'active' || sub.status === 'past_due') && counts(sub)) sum += partsOf(world, sub);
  }
  return Number((2n * sum + PARTS) / (2n * PARTS));
}

function partsOf(world: World, sub: Subscription): bigint {
  let sum = 0n;
  for (const { price, quantity } of sub.items.data) {
    if (price.recurring === null || price.recurring.usage_type === 'metered') continue;
    sum += monthly(BigInt(price.unit_amount ?? 0) * BigInt(quantity ?? 1), price.recurring);
  }
  const billed = sub.items.data[0]?.price.recurring;
  const coupons = sub.discounts.flatMap((id) => world.store.get('discount', id)?.source.coupon ?? []);
  for (const coupon of coupons.flatMap((id) => world.store.get('coupon', id) ?? [])) {
    // What ends by itself is not recurring.
    if (coupon.duration !== 'forever') continue;
    if (coupon.percent_off !== null) sum = (sum * BigInt(100 - coupon.percent_off)) / 100n;
    // Off each invoice: as often as the subscription is billed.
    if (coupon.amount_off !== null && billed != null) sum -= monthly(BigInt(coupon.amount_off), billed);
  }
  return sum > 0n ? sum : 0n;
}

function monthly(
  amount: bigint,
  { interval, interval_count: count }: { interval: keyof typeof A_YEAR; interval_count: number },
) {
  return (amount * A_YEAR[interval] * PARTS) / (12n * BigInt(count));
}
