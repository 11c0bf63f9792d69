import { cancelSubscription, hasEnded } from '../billing/cancellation.ts';
import { behaviourOf, declineWords, isCardNumber } from '../billing/cards.ts';
import { lastPeriodEnd } from '../billing/items.ts';
import { updateSubscription } from '../billing/update-subscription.ts';
import { invalidRequest } from '../errors.ts';
import { change } from '../events.ts';
import type { PortalSession, Subscription } from '../model.ts';
import type { World } from '../world.ts';
import { createCard } from './make-payment-method.ts';
import { giveMethod } from './payment-methods.ts';

/**
 * The subscription that a portal session may touch.
 *
 * @throws StripeError when it is not the customer's, or has ended
 */
export function ownSubscription(world: World, session: PortalSession, id: string): Subscription {
  const subscription = world.need('subscription', id, 'subscription');
  if (subscription.customer !== session.customer) {
    throw invalidRequest('The subscription belongs to somebody else.', { param: 'subscription' });
  }
  if (hasEnded(subscription)) throw invalidRequest('The subscription has ended.', { param: 'subscription' });
  return subscription;
}

export function featuresOf(world: World, session: PortalSession) {
  return world.need('billing_portal.configuration', session.configuration, 'configuration').features;
}

export function refuse(what: string): never {
  throw invalidRequest(`The portal's configuration does not allow to ${what}.`);
}

/** Why somebody cancels: one of the reasons that the configuration offers, and words of their own. */
export interface CancellationReason {
  feedback: string;
  comment: string;
}

/**
 * The customer cancels, at once or at the period's end, as the configuration says. The end of a period is set as
 * `cancel_at`, which is how the portal does it under flexible billing; `cancel_at_period_end` stays false.
 *
 * @throws StripeError when that is not allowed, or the subscription is not theirs
 */
export function cancelFromPortal(
  world: World,
  session: PortalSession,
  subscriptionId: string,
  why: CancellationReason = { feedback: '', comment: '' },
): Subscription {
  const subscription = ownSubscription(world, session, subscriptionId);
  const { subscription_cancel: feature } = featuresOf(world, session);
  if (!feature.enabled) refuse('cancel');
  const { enabled: asks, options } = feature.cancellation_reason;
  const feedback = asks && options.includes(why.feedback) ? why.feedback : null;
  const comment = asks && why.comment.trim() !== '' ? why.comment.trim() : null;
  return world.inTimeOf(session.customer, () => {
    if (feature.mode === 'immediately') {
      cancelSubscription(world, subscription, { reason: 'cancellation_requested', feedback, comment });
    } else {
      const cancelAt = lastPeriodEnd(subscription);
      updateSubscription(world, subscription, { cancelAt, cancellation: { feedback, comment } });
    }
    return subscription;
  });
}

/**
 * The customer takes a planned cancellation back.
 *
 * @throws StripeError when the subscription is not theirs, or has ended
 */
export function resumeFromPortal(world: World, session: PortalSession, subscriptionId: string): Subscription {
  const subscription = ownSubscription(world, session, subscriptionId);
  return world.inTimeOf(session.customer, () => {
    updateSubscription(world, subscription, { cancelAtPeriodEnd: false });
    return subscription;
  });
}

/**
 * The customer gives another card, which becomes the default of all that they pay.
 *
 * @returns why the card was refused, or that it was taken
 * @throws StripeError when that is not allowed
 */
export function updateCardFromPortal(
  world: World,
  session: PortalSession,
  cardNumber: string,
  expiry?: { month: number; year: number },
): { ok: true } | { ok: false; message: string; declineCode: string } {
  if (!featuresOf(world, session).payment_method_update.enabled) refuse('change the payment method');
  const number = cardNumber.replace(/[\s-]/g, '');
  if (!isCardNumber(number)) {
    return { ok: false, message: 'Your card number is incorrect.', declineCode: 'incorrect_number' };
  }
  const { declines } = behaviourOf(number);
  if (declines !== null) return { ok: false, message: declineWords(declines).message, declineCode: declines };
  const customer = world.need('customer', session.customer, 'customer');
  return world.inTimeOf(session.customer, () => {
    const method = createCard(world, number, { email: customer.email, name: customer.name }, expiry);
    method.$.authenticated = true;
    giveMethod(world, method, customer);
    change(world, customer, 'customer.updated', () => {
      customer.invoice_settings.default_payment_method = method.id;
    });
    for (const subscription of world.store.all('subscription', { key: 'customer', value: customer.id })) {
      if (hasEnded(subscription) || subscription.default_payment_method === null) continue;
      updateSubscription(world, subscription, { defaultPaymentMethod: method.id });
    }
    return { ok: true };
  });
}
