import { TollgateError } from '../platform/errors.ts';
import type { Line } from './offered-price.ts';

export type CheckoutMode = 'payment' | 'subscription';

/** What a session is about, as its prices have it. */
export interface Plan {
  mode: CheckoutMode;
  lines: readonly Line[];
  /** Products that are subscribed to, without repetition. */
  recurringProducts: readonly string[];
}

/** Wishes that make sense for a subscription only. */
export interface SubscriptionWishes {
  trial_period_days?: number | undefined;
  payment_method_collection?: 'always' | 'if_required' | undefined;
}

/**
 * The session that a list of prices makes: a subscription as soon as one of them recurs; one-off prices beside it go on
 * its first invoice.
 * @throws TollgateError `invalid_request` for prices that cannot be paid together, and for wishes that do not fit
 */
export function planOf(lines: readonly Line[], wishes: SubscriptionWishes = {}): Plan {
  const recurring = lines.filter(({ price }) => price.recurring_interval !== null);
  refuseDifferent(lines, 'currency', ({ price }) => price.currency);
  refuseDifferent(recurring, 'billing interval', intervalOf);
  const mode = recurring.length > 0 ? 'subscription' : 'payment';
  if (mode === 'payment') refuseWishes(wishes);
  return { mode, lines, recurringProducts: [...new Set(recurring.map(({ price }) => price.product_id))] };
}

function intervalOf({ price }: Line): string {
  const count = price.recurring_interval_count ?? 1;
  return count === 1 ? `1 ${price.recurring_interval}` : `${count} ${price.recurring_interval}s`;
}

/** Stripe's page can charge one currency, and renews a subscription at one pace. */
function refuseDifferent(lines: readonly Line[], what: string, of: (line: Line) => string): void {
  const [first, ...rest] = lines;
  if (first === undefined) return;
  const errors = rest
    .filter((line) => of(line) !== of(first))
    .map((line) => ({ path: line.path, message: `has another ${what}: ${of(line)}, not ${of(first)}` }));
  if (errors.length === 0) return;
  const detail = `All prices of one session need the same ${what}. Sell the others in a session of their own.`;
  throw new TollgateError('invalid_request', detail, errors);
}

function refuseWishes(wishes: SubscriptionWishes): void {
  const errors = (['trial_period_days', 'payment_method_collection'] as const)
    .filter((name) => wishes[name] !== undefined)
    .map((path) => ({ path, message: 'is for subscriptions; none of the prices recurs' }));
  const first = errors[0];
  if (first === undefined) return;
  throw new TollgateError('invalid_request', `In the body, ${first.path} ${first.message}.`, errors);
}
