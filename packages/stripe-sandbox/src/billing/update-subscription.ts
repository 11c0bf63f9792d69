import { cardError } from '../errors.ts';
import { change } from '../events.ts';
import type { Invoice, Subscription, SubscriptionItem } from '../model.ts';
import type { World } from '../world.ts';
import { amountFor } from './amounts.ts';
import { declineWords } from './cards.ts';
import type { ItemChange } from './change-items.ts';
import { setItemDiscounts } from './discounts.ts';
import { type Extra, pendingItems } from './invoice-lines.ts';
import type { CollectionOutcome } from './invoices.ts';
import { declineOf, needsAuthentication } from './payments.ts';
import { announcePending, dropPending, takeOver, waitFor } from './pending-update.ts';
import { planUpdate, type UpdatePlan } from './plan-update.ts';
import { planNext } from './planning.ts';
import { addExtra, addProration } from './prorate.ts';
import { refusal } from './refusal.ts';
import { endTrial, invoiceSubscription } from './renewal.ts';
import { collect, finalize, methodFor } from './settlement.ts';
import { applyFields, checkChange, type SubscriptionChange } from './subscription-change.ts';

/** Ends a trial without a payment method as the subscription says. @returns whether a paid period follows */
function goesOn(world: World, subscription: Subscription, wanted: SubscriptionChange): boolean {
  if (wanted.trialEnd !== 'now' || subscription.status !== 'trialing') return true;
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
 * With `error_if_incomplete` nothing is changed unless the payment would go through; so it is asked before.
 *
 * @throws StripeError (402) when it would not
 */
export function refuseUnlessPayable(
  world: World,
  subscription: Pick<Subscription, 'customer'>,
  methodId: string | null,
) {
  const { customer: customerId } = subscription;
  const id = methodId ?? world.need('customer', customerId).invoice_settings.default_payment_method;
  const method = id === null ? undefined : world.store.get('payment_method', id);
  if (method === undefined) throw refusal({ status: 'failed', error: null, declineCode: 'missing' });
  if (needsAuthentication(method)) throw refusal({ status: 'requires_action' });
  const declineCode = declineOf(world, customerId, method, false);
  if (declineCode === null) return;
  const { code, message } = declineWords(declineCode);
  throw cardError(message, { code, decline_code: declineCode });
}

/** What a change charges at once, in the smallest unit; below zero when it gives back more. */
function dueAtOnce({ newPeriod, prorations, tried }: UpdatePlan, extras: readonly Extra[]): number {
  const amounts = [
    ...prorations.map(({ part }) => part.amount),
    ...extras.map(({ price, quantity }) => amountFor(price, quantity)),
    ...(newPeriod ? tried.items.data.map(({ price, quantity }) => amountFor(price, quantity ?? 0)) : []),
  ];
  return amounts.reduce((sum, amount) => sum + amount, 0);
}

/** Notes what a change gives back and charges; makes the invoice of it when that is due at once. */
function billChange(world: World, subscription: Subscription, plan: UpdatePlan, wanted: SubscriptionChange) {
  for (const { item, part } of plan.prorations) addProration(world, subscription, item, part);
  for (const extra of wanted.extras ?? []) addExtra(world, subscription, extra);
  if (!plan.invoices) return null;
  const now = world.clock.now();
  return invoiceSubscription(world, subscription, plan.newPeriod ? plan.tried.items.data : [], 'subscription_update', {
    period: { start: now, end: now },
    autoAdvance: wanted.paymentBehavior !== 'pending_if_incomplete' && subscription.pause_collection === null,
    finalizesAt: null,
  });
}

/** Tries to have a change paid before it counts; when that fails, it waits for its payment. */
function changeOncePaid(world: World, subscription: Subscription, plan: UpdatePlan, wanted: SubscriptionChange) {
  const latest = subscription.latest_invoice;
  const invoice = billChange(world, subscription, plan, wanted);
  if (invoice === null) return null;
  subscription.latest_invoice = latest;
  // From here on, paying this invoice is what carries the change out.
  waitFor(subscription, plan.tried, invoice);
  const outcome = collectNow(world, subscription, invoice);
  if (invoice.status !== 'paid') announcePending(world, subscription, plan.tried, invoice, wanted);
  return outcome;
}

/** Gives items the discounts that a change names for them. */
function discountItems(world: World, subscription: Subscription, changes: readonly ItemChange[]): void {
  for (const { id, price, redemptions } of changes) {
    const fits = (item: SubscriptionItem) => (id === undefined ? item.price.id === price?.id : item.id === id);
    const item = redemptions === undefined ? undefined : subscription.items.data.find(fits);
    if (item !== undefined) setItemDiscounts(world, subscription, item, redemptions ?? []);
  }
}

/**
 * Changes a subscription, with its event, and invoices what that makes due at once.
 *
 * @returns how the payment went; null when nothing was due, or it is left for later
 * @throws StripeError when the subscription has ended, the change does not fit it, or it may only be made when it is paid
 */
export function updateSubscription(
  world: World,
  subscription: Subscription,
  wanted: SubscriptionChange,
): CollectionOutcome | null {
  checkChange(world, subscription, wanted);
  if (!goesOn(world, subscription, wanted)) return null;
  const plan = planUpdate(world, subscription, wanted);
  const behavior = wanted.paymentBehavior ?? 'allow_incomplete';
  const paysNow =
    plan.invoices && subscription.collection_method !== 'send_invoice' && dueAtOnce(plan, wanted.extras ?? []) > 0;
  if (paysNow && behavior === 'error_if_incomplete') {
    const method = wanted.defaultPaymentMethod ?? subscription.default_payment_method;
    refuseUnlessPayable(world, subscription, method);
  }
  if (plan.prorations.length > 0 || plan.newPeriod) dropPending(world, subscription, 'replaced');
  if (paysNow && behavior === 'pending_if_incomplete') return changeOncePaid(world, subscription, plan, wanted);
  let invoice: Invoice | null = null;
  change(world, subscription, 'customer.subscription.updated', () => {
    applyFields(world, subscription, wanted);
    takeOver(world, subscription, plan.tried);
    discountItems(world, subscription, wanted.items ?? []);
    const { cancel_at_period_end, canceled_at, cancellation_details } = plan.tried;
    Object.assign(subscription, { cancel_at_period_end, canceled_at, cancellation_details });
    invoice = billChange(world, subscription, plan, wanted);
  });
  planNext(world, subscription);
  if (invoice === null) return null;
  return collectNow(world, subscription, invoice, behavior === 'default_incomplete');
}

/** Finalizes an invoice of a change, and collects it unless that is left for the customer to do. */
export function collectNow(
  world: World,
  subscription: Subscription,
  invoice: Invoice,
  payLater = false,
): CollectionOutcome | null {
  finalize(world, invoice);
  if (invoice.status !== 'open' || invoice.collection_method === 'send_invoice') return null;
  if (payLater) {
    change(world, subscription, 'customer.subscription.updated', () => {
      if (subscription.status === 'active') subscription.status = 'past_due';
    });
    return null;
  }
  return collect(world, invoice, methodFor(world, world.need('customer', subscription.customer), subscription), true);
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
