/** Monthly recurring revenue, added up from Stripe's own subscriptions. */
import type { World } from '../../packages/stripe-sandbox/src/world.ts';
import { allSubscriptions } from './stripe-state.ts';

/** So many of each interval's periods make a year. */
const A_YEAR = { day: 365n, week: 52n, month: 12n, year: 1n };

/** In the currency's minor units, rounded once; half away from zero. @param owns - whether a Stripe customer counts */
export function monthlyRevenue(world: World, owns: (stripeCustomer: string) => boolean): number {
  // In 72nds of a month's worth: 12 months a year, and up to six intervals in a period.
  const PARTS = 12n * 60n;
  let sum = 0n;
  for (const sub of allSubscriptions(world)) {
    if ((sub.status !== 'active' && sub.status !== 'past_due') || !owns(sub.customer)) continue;
    for (const { price, quantity } of sub.items.data) {
      if (price.recurring === null || price.recurring.usage_type === 'metered') continue;
      const amount = BigInt(price.unit_amount ?? 0) * BigInt(quantity ?? 1);
      const { interval, interval_count: count } = price.recurring;
      sum += (amount * A_YEAR[interval] * PARTS) / (12n * BigInt(count));
    }
  }
  return Number((2n * sum + PARTS) / (2n * PARTS));
}
