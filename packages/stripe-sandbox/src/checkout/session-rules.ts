/** What a checkout session may be asked for. */
import { invalidRequest } from '../errors.ts';
import type { Params } from '../params.ts';
import type { World } from '../world.ts';
import type { sessionFields } from './session-params.ts';

type Given = Params<typeof sessionFields>;

const HOUR = 3600;
const DAY = 24 * HOUR;

/** @throws StripeError when what is asked for does not go together */
export function checkSession(world: World, given: Given): void {
  if (given.customer !== undefined && given.customer_email !== undefined) {
    throw invalidRequest('You may only specify one of these parameters: customer, customer_email.');
  }
  if (given.customer !== undefined) world.need('customer', given.customer, 'customer');
  if (given.mode !== 'subscription' && given.subscription_data !== undefined) {
    throw invalidRequest(`You can not pass \`subscription_data\` in \`${given.mode}\` mode.`, {
      param: 'subscription_data',
    });
  }
  if (given.mode !== 'payment' && given.payment_intent_data !== undefined) {
    throw invalidRequest(`You can not pass \`payment_intent_data\` in \`${given.mode}\` mode.`, {
      param: 'payment_intent_data',
    });
  }
  if (given.mode === 'subscription' && given.customer_creation !== undefined) {
    throw invalidRequest('`customer_creation` can only be used in `payment` and `setup` mode.', {
      param: 'customer_creation',
    });
  }
  if (given.success_url === undefined) {
    throw invalidRequest('Missing required param: success_url.', { code: 'parameter_missing', param: 'success_url' });
  }
  if (given.allow_promotion_codes !== undefined && given.discounts !== undefined) {
    throw invalidRequest('You may only specify one of these parameters: allow_promotion_codes, discounts.');
  }
  const { trial_end, trial_period_days } = given.subscription_data ?? {};
  if (trial_end !== undefined && trial_period_days !== undefined) {
    throw invalidRequest('You may only specify one of these parameters: trial_end, trial_period_days.');
  }
  if (trial_period_days !== undefined && (trial_period_days < 1 || trial_period_days > 730)) {
    throw invalidRequest('The trial must be between 1 and 730 days.', {
      param: 'subscription_data[trial_period_days]',
    });
  }
  if (trial_end !== undefined && trial_end < world.clock.now() + 2 * DAY) {
    throw invalidRequest('The `trial_end` date has to be at least 2 days in the future.', {
      param: 'subscription_data[trial_end]',
    });
  }
}

/** When a session expires, in epoch seconds. @throws StripeError when that is too soon or too late */
export function expiryOf(world: World, given: Given): number {
  const now = world.clock.now();
  const at = given.expires_at ?? now + DAY;
  // Half a minute of leeway, for callers whose clock is not exactly this one.
  if (at < now + HOUR / 2 - 30 || at > now + DAY + 30) {
    throw invalidRequest(
      'The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation.',
      {
        param: 'expires_at',
      },
    );
  }
  return at;
}
