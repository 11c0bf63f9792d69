import { TollgateError } from '../platform/errors.ts';
import type { Interval } from './views.ts';

/** Stripe bills at least every three years. */
const LONGEST = { day: 1095, week: 156, month: 36, year: 3 } satisfies Record<Interval, number>;

/**
 * How often a price is billed, checked.
 * @throws TollgateError `invalid_request`
 */
export function billingPeriod(recurring: { interval: Interval; interval_count?: number | undefined }): {
  interval: Interval;
  intervalCount: number;
} {
  const { interval, interval_count: intervalCount = 1 } = recurring;
  const longest = LONGEST[interval];
  if (intervalCount > longest) {
    const message = `must be at most ${longest} for the interval ${interval}`;
    const detail = `recurring.interval_count ${message}: Stripe bills at least every three years.`;
    throw new TollgateError('invalid_request', detail, [{ path: 'recurring.interval_count', message }]);
  }
  return { interval, intervalCount };
}
