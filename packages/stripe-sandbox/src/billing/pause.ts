import { invalidRequest } from '../errors.ts';
import { emit } from '../events.ts';
import type { Subscription } from '../model.ts';
import type { World } from '../world.ts';
import { planNext } from './planning.ts';
import { creditRest } from './prorate.ts';
import { invoicePending } from './update-subscription.ts';

/** How a subscription is paused. */
export interface Pause {
  /** From when on the time that is paid for is given back. */
  creditFrom: 'item_current_period_start' | 'none' | 'now';
  /** Whether what is given back is settled at once, or with the next invoice. */
  invoices: boolean;
}

/**
 * Pauses a subscription: no invoices and no new periods until it is resumed.
 *
 * @throws StripeError when it is not running, or a schedule runs it
 */
export function pauseSubscription(world: World, subscription: Subscription, { creditFrom, invoices }: Pause): void {
  const { status } = subscription;
  if (status !== 'active' && status !== 'trialing') {
    throw invalidRequest(`A subscription that is ${status} cannot be paused.`, { code: 'subscription_not_pausable' });
  }
  if (subscription.schedule !== null) {
    throw invalidRequest('A subscription that a schedule runs cannot be paused. Release it first.');
  }
  if (creditFrom !== 'none' && status === 'active') {
    creditRest(world, subscription, (item) => (creditFrom === 'now' ? world.clock.now() : item.current_period_start));
    if (invoices) invoicePending(world, subscription);
  }
  if (creditFrom === 'none') subscription.$.pausedUncredited = true;
  subscription.status = 'paused';
  emit(world, 'customer.subscription.updated', subscription, { status });
  emit(world, 'customer.subscription.paused', subscription);
  planNext(world, subscription);
}
