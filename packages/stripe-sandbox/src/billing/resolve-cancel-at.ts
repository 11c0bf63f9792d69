import type { Subscription } from '../model.ts';
import { firstPeriodEnd, lastPeriodEnd } from './items.ts';

/** When a subscription ends; `min_period_end` and `max_period_end` go by its items. */
export function resolveCancelAt(subscription: Subscription, at: number | 'max_period_end' | 'min_period_end'): number {
  if (at === 'max_period_end') return lastPeriodEnd(subscription);
  return at === 'min_period_end' ? firstPeriodEnd(subscription) : at;
}
