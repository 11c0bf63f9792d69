import type { Subscription } from '../model.ts';
import type { World } from '../world.ts';
import { hasEnded } from './cancellation.ts';
import { firstPeriodEnd } from './items.ts';

const HOUR = 3600;
const DAY = 24 * HOUR;

/** How long the first invoice may stay unpaid before the subscription never was, in seconds. */
export const FIRST_PAYMENT_SECONDS = 23 * HOUR;
/** How long before a trial's end the customer is told, in seconds. */
export const TRIAL_NOTICE_SECONDS = 3 * DAY;

/** When something will happen to a subscription by itself, in Unix seconds; null when nothing will. */
function nextMoment(subscription: Subscription): number | null {
  if (hasEnded(subscription)) return null;
  const moments: number[] = [];
  if (subscription.cancel_at !== null) moments.push(subscription.cancel_at);
  if (subscription.pause_collection?.resumes_at) moments.push(subscription.pause_collection.resumes_at);
  if (subscription.$.resumption !== undefined) moments.push(subscription.$.resumption.expiresAt);
  if (subscription.pending_update !== null) moments.push(subscription.pending_update.expires_at);
  if (subscription.status === 'incomplete') moments.push(subscription.created + FIRST_PAYMENT_SECONDS);
  if (subscription.status !== 'paused') moments.push(firstPeriodEnd(subscription));
  const { trial_end } = subscription;
  if (subscription.status === 'trialing' && trial_end !== null) {
    if (subscription.$.trialNoticeFor !== trial_end) moments.push(trial_end - TRIAL_NOTICE_SECONDS);
  }
  return moments.length === 0 ? null : Math.min(...moments);
}

/** Plans the next look at a subscription; to be called after every change of it. */
export function planNext(world: World, subscription: Subscription): void {
  const at = nextMoment(subscription);
  if (at === null) return;
  world.remind(
    { at: Math.max(at, world.clock.now()), kind: 'subscription', id: subscription.id },
    subscription.test_clock,
  );
}
