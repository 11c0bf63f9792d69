import { invalidRequest } from '../errors.ts';
import { change, emit } from '../events.ts';
import type { Invoice, Subscription } from '../model.ts';
import type { World } from '../world.ts';
import { cycleAnchor } from './anchor.ts';
import { addPeriods, boundaryAfter } from './periods.ts';
import { beginCycle } from './plan-update.ts';
import { FIRST_PAYMENT_SECONDS, planNext } from './planning.ts';
import { addProration, prorationsOf, stateOf } from './prorate.ts';
import { invoiceSubscription } from './renewal.ts';
import type { ProrationBehavior } from './subscription-change.ts';
import { collectNow } from './update-subscription.ts';

/** How a paused subscription is taken up again. */
export interface Resumption {
  /** Whether a new billing cycle begins now, or the one that was goes on. */
  anchor: 'now' | 'unchanged';
  prorationBehavior: ProrationBehavior;
  prorationDate: number | undefined;
  /** Whether trying to pay is enough, or only the payment lets it run again. */
  paymentBehavior: 'resume_on_payment_attempt' | 'resume_on_payment_success';
}

/** Moves the items into the periods around now, and charges the rest of those that are not paid for. */
function joinCycle(world: World, subscription: Subscription, { prorationBehavior, prorationDate }: Resumption): void {
  const now = world.clock.now();
  for (const item of subscription.items.data) {
    const { recurring } = item.price;
    if (recurring === null) continue;
    const paidFor = subscription.$.pausedUncredited === true && item.current_period_end > now;
    const end = boundaryAfter(cycleAnchor(subscription), recurring, now);
    const period = { start: addPeriods(end, recurring, -1), end };
    item.current_period_start = period.start;
    item.current_period_end = end;
    if (paidFor || prorationBehavior === 'none') continue;
    const states = { before: null, after: stateOf(item) };
    for (const part of prorationsOf(world, subscription, item, period, states, prorationDate ?? now)) {
      addProration(world, subscription, item, part);
    }
  }
}

function resumptionInvoice(world: World, subscription: Subscription, how: Resumption): Invoice | null {
  const now = world.clock.now();
  if (how.anchor === 'now') beginCycle(subscription, now);
  else joinCycle(world, subscription, how);
  if (how.anchor === 'unchanged' && how.prorationBehavior !== 'always_invoice') return null;
  const items = how.anchor === 'now' ? subscription.items.data : [];
  return invoiceSubscription(world, subscription, items, 'subscription_update', {
    period: { start: now, end: now },
    autoAdvance: how.paymentBehavior === 'resume_on_payment_attempt',
    finalizesAt: null,
  });
}

/**
 * Takes a paused subscription up again.
 *
 * @throws StripeError when it is not paused
 */
export function resumeSubscription(world: World, subscription: Subscription, how: Resumption): void {
  if (subscription.status !== 'paused') {
    throw invalidRequest('Only subscriptions that are paused can be resumed.', { code: 'subscription_not_paused' });
  }
  const attempts = how.paymentBehavior === 'resume_on_payment_attempt';
  const { invoice } = takeUp(world, subscription, how, attempts);
  if (invoice === null || attempts) emit(world, 'customer.subscription.resumed', subscription);
  if (invoice !== null) {
    if (!attempts) {
      subscription.$.resumption = { invoice: invoice.id, expiresAt: world.clock.now() + FIRST_PAYMENT_SECONDS };
    }
    collectNow(world, subscription, invoice);
  }
  planNext(world, subscription);
}

/** Moves the subscription into the period in which it goes on; it runs again at once when trying to pay is enough. */
function takeUp(world: World, subscription: Subscription, how: Resumption, attempts: boolean) {
  const taken: { invoice: Invoice | null } = { invoice: null };
  change(world, subscription, 'customer.subscription.updated', () => {
    taken.invoice = resumptionInvoice(world, subscription, how);
    if (taken.invoice === null || attempts) subscription.status = 'active';
  });
  delete subscription.$.pausedUncredited;
  return taken;
}
