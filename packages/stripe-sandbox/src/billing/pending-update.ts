import { change, emit } from '../events.ts';
import type { BillingFields, Invoice, Subscription } from '../model.ts';
import type { World } from '../world.ts';
import { voidInvoice } from './invoices.ts';
import { FIRST_PAYMENT_SECONDS, planNext } from './planning.ts';
import type { SubscriptionChange } from './subscription-change.ts';

/** Takes over what a plan made of what is billed. */
export function takeOver(world: World, subscription: Subscription, billing: BillingFields): void {
  const { billing_cycle_anchor, cancel_at, items, status, trial_end, trial_start } = billing;
  world.store.rekey('subscription', subscription, () =>
    Object.assign(subscription, { billing_cycle_anchor, cancel_at, items, status, trial_end, trial_start }),
  );
}

/** Keeps what an update makes of a subscription until its invoice is paid. */
export function waitFor(subscription: Subscription, tried: Subscription, { id }: Invoice): void {
  const { billing_cycle_anchor, cancel_at, items, status, trial_end, trial_start } = tried;
  subscription.$.pending = {
    invoice: id,
    billing: { billing_cycle_anchor, cancel_at, items, status, trial_end, trial_start },
  };
}

/** Tells of an update that could not be paid for: it waits until it is, or until its time is up. */
export function announcePending(
  world: World,
  subscription: Subscription,
  tried: Subscription,
  invoice: Invoice,
  wanted: SubscriptionChange,
): void {
  const now = world.clock.now();
  const ends = [now + FIRST_PAYMENT_SECONDS, ...subscription.items.data.map((item) => item.current_period_end)];
  const changed = <K extends 'billing_cycle_anchor' | 'trial_end'>(field: K) =>
    tried[field] === subscription[field] ? null : tried[field];
  change(world, subscription, 'customer.subscription.updated', () => {
    subscription.latest_invoice = invoice.id;
    subscription.pending_update = {
      billing_cycle_anchor: changed('billing_cycle_anchor'),
      cancel_at_period_end: null,
      discount: null,
      discounts: null,
      expires_at: Math.min(...ends.filter((end) => end > now)),
      metadata: null,
      subscription_items: wanted.items === undefined ? null : tried.items.data,
      trial_end: changed('trial_end'),
      trial_from_plan: null,
    };
  });
  planNext(world, subscription);
}

/** The payment that an update waited for came in: the update counts. @returns whether one waited for this invoice */
export function applyPending(world: World, subscription: Subscription, invoice: Invoice): boolean {
  const { pending } = subscription.$;
  if (pending === undefined || pending.invoice !== invoice.id) return false;
  delete subscription.$.pending;
  const waited = subscription.pending_update !== null;
  change(world, subscription, 'customer.subscription.updated', () => {
    takeOver(world, subscription, pending.billing);
    subscription.latest_invoice = invoice.id;
    subscription.pending_update = null;
  });
  if (waited) emit(world, 'customer.subscription.pending_update_applied', subscription);
  planNext(world, subscription);
  return true;
}

/** Gives up an update that waits for its payment: its invoice is voided, the subscription stays as it is. */
export function dropPending(world: World, subscription: Subscription, why: 'expired' | 'replaced'): void {
  const { pending } = subscription.$;
  if (pending === undefined) return;
  delete subscription.$.pending;
  const invoice = world.store.get('invoice', pending.invoice);
  if (invoice?.status === 'open') voidInvoice(world, invoice);
  change(world, subscription, 'customer.subscription.updated', () => {
    subscription.pending_update = null;
  });
  if (why === 'expired') emit(world, 'customer.subscription.pending_update_expired', subscription);
}
