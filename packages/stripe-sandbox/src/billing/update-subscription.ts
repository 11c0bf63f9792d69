import { invalidRequest } from '../errors.ts';
import { change, emit } from '../events.ts';
import type { Invoice, MissingPaymentMethod, Subscription } from '../model.ts';
import { type MetadataChange, mergeMetadata } from '../params.ts';
import type { World } from '../world.ts';
import { hasEnded } from './cancellation.ts';
import { changeItems, checkItems, type ItemChange } from './change-items.ts';
import { type Redemption, redeem } from './discounts.ts';
import { pendingItems } from './invoice-lines.ts';
import type { CollectionOutcome } from './invoices.ts';
import { lastPeriodEnd } from './items.ts';
import { addPeriods } from './periods.ts';
import { planNext } from './planning.ts';
import { endTrial, invoiceSubscription } from './renewal.ts';
import { collect, finalize, methodFor } from './settlement.ts';
import { resolveCancelAt } from './subscribe.ts';

export type ProrationBehavior = 'always_invoice' | 'create_prorations' | 'none';

/** What is changed about a subscription; what is left out stays. */
export interface SubscriptionChange {
  items?: ItemChange[] | undefined;
  prorationBehavior?: ProrationBehavior | undefined;
  prorationDate?: number | undefined;
  billingCycleAnchor?: 'now' | 'unchanged' | undefined;
  cancelAt?: number | 'max_period_end' | 'min_period_end' | null | undefined;
  cancelAtPeriodEnd?: boolean | undefined;
  cancellation?: { comment?: string | null | undefined; feedback?: string | null | undefined } | undefined;
  collectionMethod?: 'charge_automatically' | 'send_invoice' | undefined;
  daysUntilDue?: number | undefined;
  defaultPaymentMethod?: string | null | undefined;
  description?: string | null | undefined;
  metadata?: MetadataChange | undefined;
  pauseCollection?: Subscription['pause_collection'] | undefined;
  redemptions?: Redemption[] | undefined;
  trialEnd?: number | 'now' | undefined;
  missingPaymentMethod?: MissingPaymentMethod | undefined;
}

/** Refuses what does not fit, before anything is touched. */
function check(world: World, subscription: Subscription, wanted: SubscriptionChange): void {
  if (hasEnded(subscription)) {
    const onlyNotes = Object.entries(wanted).every(([name, value]) => value === undefined || name === 'metadata');
    if (!onlyNotes) {
      throw invalidRequest('A canceled subscription can only update its cancellation_details and metadata.');
    }
  }
  const { cancelAt } = wanted;
  if (cancelAt !== undefined && wanted.cancelAtPeriodEnd === true) {
    throw invalidRequest('You may only specify one of these parameters: cancel_at, cancel_at_period_end.');
  }
  if (typeof cancelAt === 'number' && cancelAt < world.clock.now()) {
    throw invalidRequest('The subscription cannot be canceled in the past.', { param: 'cancel_at' });
  }
  mergeMetadata(subscription.metadata, wanted.metadata);
  checkItems(subscription, wanted.items ?? []);
}

/** Sets or clears the planned end. Setting one by date leaves `cancel_at_period_end` false, as flexible billing does. */
function planEnd(world: World, subscription: Subscription, wanted: SubscriptionChange): void {
  const { cancelAt, cancelAtPeriodEnd } = wanted;
  if (cancelAtPeriodEnd !== undefined) {
    if (subscription.cancel_at_period_end !== cancelAtPeriodEnd || !cancelAtPeriodEnd) {
      subscription.cancel_at_period_end = cancelAtPeriodEnd;
      subscription.cancel_at = cancelAtPeriodEnd ? lastPeriodEnd(subscription) : null;
    }
  }
  if (cancelAt !== undefined) {
    subscription.cancel_at = cancelAt === null ? null : resolveCancelAt(subscription, cancelAt);
    subscription.cancel_at_period_end = false;
  }
  if (cancelAt !== undefined || cancelAtPeriodEnd !== undefined) {
    const planned = subscription.cancel_at !== null;
    subscription.canceled_at = planned ? (subscription.canceled_at ?? world.clock.now()) : null;
    subscription.cancellation_details.reason = planned ? 'cancellation_requested' : null;
    if (!planned)
      subscription.cancellation_details = { comment: null, feedback: null, feedback_option: null, reason: null };
  }
  const { comment, feedback } = wanted.cancellation ?? {};
  if (comment !== undefined) subscription.cancellation_details.comment = comment;
  if (feedback !== undefined) subscription.cancellation_details.feedback = feedback;
}

/** Begins a new billing cycle now for all items. */
function beginCycle(world: World, subscription: Subscription): void {
  const now = world.clock.now();
  subscription.billing_cycle_anchor = now;
  for (const item of subscription.items.data) {
    item.current_period_start = now;
    if (item.price.recurring !== null) item.current_period_end = addPeriods(now, item.price.recurring, 1);
  }
  if (subscription.cancel_at_period_end) subscription.cancel_at = lastPeriodEnd(subscription);
}

/** Moves a trial's end, or ends it. @returns whether a paid period begins now */
function changeTrial(world: World, subscription: Subscription, end: number | 'now' | undefined): boolean {
  if (end === undefined) return false;
  const now = world.clock.now();
  if (end === 'now' || end <= now) {
    if (subscription.status !== 'trialing') return false;
    subscription.trial_end = now;
    subscription.status = 'active';
    return true;
  }
  subscription.trial_start ??= now;
  subscription.trial_end = end;
  subscription.billing_cycle_anchor = end;
  if (subscription.status === 'active') subscription.status = 'trialing';
  for (const item of subscription.items.data) item.current_period_end = end;
  if (subscription.cancel_at_period_end) subscription.cancel_at = end;
  return false;
}

function applyFields(world: World, subscription: Subscription, wanted: SubscriptionChange): void {
  subscription.metadata = mergeMetadata(subscription.metadata, wanted.metadata);
  if (wanted.collectionMethod !== undefined) subscription.collection_method = wanted.collectionMethod;
  if (wanted.daysUntilDue !== undefined) subscription.days_until_due = wanted.daysUntilDue;
  if (wanted.defaultPaymentMethod !== undefined) subscription.default_payment_method = wanted.defaultPaymentMethod;
  if (wanted.description !== undefined) subscription.description = wanted.description;
  if (wanted.pauseCollection !== undefined) subscription.pause_collection = wanted.pauseCollection;
  if (wanted.missingPaymentMethod !== undefined) {
    subscription.trial_settings.end_behavior.missing_payment_method = wanted.missingPaymentMethod;
  }
  if (wanted.redemptions !== undefined) {
    const customer = world.store.get('customer', subscription.customer) ?? null;
    subscription.discounts = wanted.redemptions.map(
      (redemption) => redeem(world, redemption, { customer, subscription: subscription.id }).id,
    );
  }
}

/** Ends a trial without a payment method as the subscription says. @returns whether a paid period follows */
function goesOn(world: World, subscription: Subscription, wanted: SubscriptionChange): boolean {
  const customer = world.need('customer', subscription.customer);
  const behavior = wanted.missingPaymentMethod ?? subscription.trial_settings.end_behavior.missing_payment_method;
  if (behavior === 'create_invoice' || methodFor(world, customer, subscription) !== null) return true;
  applyFields(world, subscription, wanted);
  subscription.trial_end = world.clock.now();
  endTrial(world, subscription, customer);
  planNext(world, subscription);
  return false;
}

/**
 * Changes a subscription, with its event, and invoices what that makes due at once.
 *
 * @returns how the payment went; null when nothing was due
 * @throws StripeError when the subscription has ended, or the change does not fit it
 */
export function updateSubscription(
  world: World,
  subscription: Subscription,
  wanted: SubscriptionChange,
): CollectionOutcome | null {
  check(world, subscription, wanted);
  if (wanted.trialEnd === 'now' && subscription.status === 'trialing' && !goesOn(world, subscription, wanted))
    return null;
  const behavior = wanted.prorationBehavior ?? 'create_prorations';
  const charged = new Set(pendingItems(world, subscription));
  let newPeriod = false;
  let invoice: Invoice | null = null;
  change(world, subscription, 'customer.subscription.updated', () => {
    applyFields(world, subscription, wanted);
    const trialOver = changeTrial(world, subscription, wanted.trialEnd);
    const options = { prorates: behavior !== 'none', at: wanted.prorationDate ?? world.clock.now() };
    const anew = changeItems(world, subscription, wanted.items ?? [], options);
    newPeriod = trialOver || wanted.billingCycleAnchor === 'now' || (anew && subscription.status !== 'trialing');
    if (newPeriod) beginCycle(world, subscription);
    planEnd(world, subscription, wanted);
    const news = pendingItems(world, subscription).some((item) => !charged.has(item));
    if (!newPeriod && !(behavior === 'always_invoice' && news)) return;
    const now = world.clock.now();
    invoice = invoiceSubscription(
      world,
      subscription,
      newPeriod ? subscription.items.data : [],
      'subscription_update',
      {
        period: { start: now, end: now },
        autoAdvance: subscription.pause_collection === null,
        finalizesAt: null,
      },
    );
  });
  planNext(world, subscription);
  return invoice === null ? null : collectNow(world, subscription, invoice);
}

function collectNow(world: World, subscription: Subscription, invoice: Invoice): CollectionOutcome | null {
  finalize(world, invoice);
  if (invoice.status !== 'open' || invoice.collection_method === 'send_invoice') return null;
  return collect(world, invoice, methodFor(world, world.need('customer', subscription.customer), subscription), true);
}

/** Takes a paused subscription up again: a new cycle begins, and is paid. */
export function resumeSubscription(world: World, subscription: Subscription): void {
  if (subscription.status !== 'paused') {
    throw invalidRequest('Only subscriptions that are paused can be resumed.', { code: 'subscription_not_paused' });
  }
  let invoice: Invoice | null = null;
  const now = world.clock.now();
  const before = { status: subscription.status };
  beginCycle(world, subscription);
  const customer = world.need('customer', subscription.customer);
  invoice = invoiceSubscription(world, subscription, subscription.items.data, 'subscription_update', {
    period: { start: now, end: now },
    autoAdvance: true,
    finalizesAt: null,
  });
  finalize(world, invoice);
  const outcome =
    invoice.status === 'open' ? collect(world, invoice, methodFor(world, customer, subscription), true) : null;
  if (outcome === null || outcome.status === 'paid') {
    subscription.status = 'active';
    emit(world, 'customer.subscription.updated', subscription, before);
    emit(world, 'customer.subscription.resumed', subscription);
  }
  planNext(world, subscription);
}

/** Invoices what waits for a next invoice that will not come, as when a subscription is canceled at once. */
export function invoicePending(world: World, subscription: Subscription): void {
  if (pendingItems(world, subscription).length === 0) return;
  const now = world.clock.now();
  const invoice = invoiceSubscription(world, subscription, [], 'subscription_update', {
    period: { start: now, end: now },
    autoAdvance: true,
    finalizesAt: null,
  });
  collectNow(world, subscription, invoice);
}
