import { change, emit } from '../events.ts';
import type { Customer, Invoice, Subscription, SubscriptionItem } from '../model.ts';
import type { World } from '../world.ts';
import { cycleAnchor } from './anchor.ts';
import { cancelSubscription, expireIncomplete, hasEnded } from './cancellation.ts';
import { dropEndedDiscounts, heldDiscounts } from './discounts.ts';
import { draftInvoice } from './draft-invoice.ts';
import { pendingItems, pendingLines, periodLines } from './invoice-lines.ts';
import { markUncollectible, voidInvoice } from './invoices.ts';
import { dropPending } from './pending-update.ts';
import { boundaryAfter } from './periods.ts';
import { FIRST_PAYMENT_SECONDS, planNext, TRIAL_NOTICE_SECONDS } from './planning.ts';
import { dropResumption } from './resumption.ts';
import { collect, finalize, methodFor, overdue } from './settlement.ts';

/** Makes an invoice of what is given and of what was waiting for one. */
export function invoiceSubscription(
  world: World,
  subscription: Subscription,
  items: readonly SubscriptionItem[],
  reason: Invoice['billing_reason'],
  options: { period: { start: number; end: number }; autoAdvance: boolean; finalizesAt: number | null },
): Invoice {
  const customer = world.need('customer', subscription.customer);
  const pending = pendingItems(world, subscription);
  const invoice = draftInvoice(world, {
    customer,
    subscription,
    reason,
    currency: subscription.currency,
    lines: [...pendingLines(world, pending), ...periodLines(world, items, { subscription })],
    discounts: heldDiscounts(world, subscription),
    ...options,
  });
  for (const item of pending) item.invoice = invoice.id;
  return invoice;
}

/** What becomes of a renewal's invoice while collection is paused. */
function holdBack(world: World, subscription: Subscription, invoice: Invoice): void {
  const behavior = subscription.pause_collection?.behavior;
  if (behavior === 'void') {
    finalize(world, invoice);
    if (invoice.status === 'open') voidInvoice(world, invoice);
  } else if (behavior === 'mark_uncollectible') {
    finalize(world, invoice);
    if (invoice.status === 'open') markUncollectible(world, invoice, 'subscription_paused');
  }
}

/** Moves the items whose period is over into the next one, and invoices it. */
function renew(world: World, subscription: Subscription): void {
  const now = world.clock.now();
  const due = subscription.items.data.filter((item) => item.current_period_end <= now);
  const start = Math.min(...due.map((item) => item.current_period_start));
  const paused = subscription.pause_collection !== null;
  const held = paused || subscription.status === 'unpaid';
  const delay = world.account.renewalDraftSeconds;
  let invoice: Invoice | undefined;
  change(world, subscription, 'customer.subscription.updated', () => {
    for (const item of due) {
      item.current_period_start = item.current_period_end;
      if (item.price.recurring === null) continue;
      item.current_period_end = boundaryAfter(cycleAnchor(subscription), item.price.recurring, now);
    }
    if (subscription.status === 'trialing') subscription.status = 'active';
    dropEndedDiscounts(world, subscription);
    invoice = invoiceSubscription(world, subscription, due, 'subscription_cycle', {
      period: { start, end: now },
      autoAdvance: !held,
      finalizesAt: held || delay === 0 ? null : now + delay,
    });
  });
  if (invoice === undefined) return;
  if (paused) holdBack(world, subscription, invoice);
  else if (!held && delay === 0) finishInvoice(world, invoice);
}

/** Finalizes a draft and, unless it is sent to the customer, collects it. */
function finishInvoice(world: World, invoice: Invoice): void {
  if (invoice.status === 'draft') finalize(world, invoice);
  if (invoice.status !== 'open' || invoice.collection_method === 'send_invoice') return;
  const customer = world.store.get('customer', invoice.customer);
  const id = invoice.parent?.subscription_details.subscription;
  const subscription = id === undefined ? undefined : world.store.get('subscription', id);
  if (customer !== undefined) collect(world, invoice, methodFor(world, customer, subscription), false);
}

/** Ends a trial without a payment method as the subscription says. @returns whether it goes on to a renewal */
export function endTrial(world: World, subscription: Subscription, customer: Customer): boolean {
  const behavior = subscription.trial_settings.end_behavior.missing_payment_method;
  if (behavior === 'create_invoice' || methodFor(world, customer, subscription) !== null) return true;
  if (behavior === 'cancel') {
    cancelSubscription(world, subscription, { reason: null });
    return false;
  }
  const before = subscription.status;
  subscription.status = 'paused';
  emit(world, 'customer.subscription.updated', subscription, { status: before });
  emit(world, 'customer.subscription.paused', subscription);
  return false;
}

function step(world: World, subscription: Subscription): void {
  const now = world.clock.now();
  const customer = world.need('customer', subscription.customer);
  if (subscription.status === 'incomplete' && subscription.created + FIRST_PAYMENT_SECONDS <= now) {
    expireIncomplete(world, subscription);
    return;
  }
  const { resumption } = subscription.$;
  if (resumption !== undefined && resumption.expiresAt <= now) dropResumption(world, subscription);
  if (subscription.pending_update !== null && subscription.pending_update.expires_at <= now) {
    dropPending(world, subscription, 'expired');
  }
  if (subscription.cancel_at !== null && subscription.cancel_at <= now) {
    cancelSubscription(world, subscription, { reason: 'cancellation_requested' });
    return;
  }
  const resumesAt = subscription.pause_collection?.resumes_at ?? null;
  if (resumesAt !== null && resumesAt <= now) {
    change(world, subscription, 'customer.subscription.updated', () => {
      subscription.pause_collection = null;
    });
  }
  const { trial_end } = subscription;
  if (subscription.status === 'trialing' && trial_end !== null) {
    if (subscription.$.trialNoticeFor !== trial_end && trial_end - TRIAL_NOTICE_SECONDS <= now) {
      subscription.$.trialNoticeFor = trial_end;
      if (trial_end > now) emit(world, 'customer.subscription.trial_will_end', subscription);
    }
    if (trial_end <= now && !endTrial(world, subscription, customer)) return;
  }
  if (subscription.status === 'paused') return;
  if (subscription.items.data.some((item) => item.current_period_end <= now)) renew(world, subscription);
}

/** Does to a subscription what has fallen due, and plans the next look at it. */
export function subscriptionDue(world: World, id: string): void {
  const subscription = world.store.get('subscription', id);
  if (subscription === undefined || hasEnded(subscription)) return;
  step(world, subscription);
  planNext(world, subscription);
}

/** Does to an invoice what has fallen due: finalizes a draft, or tries a failed payment again. */
export function invoiceDue(world: World, id: string): void {
  const invoice = world.store.get('invoice', id);
  if (invoice === undefined) return;
  const now = world.clock.now();
  if (invoice.status === 'draft') {
    const at = invoice.automatically_finalizes_at;
    if (invoice.auto_advance && at !== null && at <= now) finishInvoice(world, invoice);
  } else if (invoice.status === 'open') {
    const at = invoice.next_payment_attempt;
    if (at !== null && at <= now) finishInvoice(world, invoice);
    if (invoice.due_date !== null && invoice.due_date <= now) overdue(world, invoice);
  }
}
