import { change, emit } from '../events.ts';
import type { Subscription } from '../model.ts';
import type { World } from '../world.ts';
import { voidInvoice } from './invoices.ts';

/** Why a subscription ends, in Stripe's words. */
export interface CancellationDetails {
  reason: 'cancellation_requested' | 'payment_failed' | null;
  comment?: string | null;
  feedback?: string | null;
}

/** Whether a subscription is over for good. */
export function hasEnded({ status }: Subscription): boolean {
  return status === 'canceled' || status === 'incomplete_expired';
}

/** Stops Stripe from collecting what a subscription still owes; its invoices stay as they are. */
function stopCollecting(world: World, subscription: Subscription): void {
  for (const invoice of world.store.all('invoice', { key: 'subscription', value: subscription.id })) {
    if (invoice.status !== 'open' && invoice.status !== 'draft') continue;
    change(world, invoice, 'invoice.updated', () => {
      invoice.auto_advance = false;
      invoice.next_payment_attempt = null;
      invoice.automatically_finalizes_at = null;
    });
  }
}

/** Ends a subscription now. One that was never paid expires instead, and its first invoice is voided. */
export function cancelSubscription(world: World, subscription: Subscription, details: CancellationDetails): void {
  const now = world.clock.now();
  const neverPaid = subscription.status === 'incomplete';
  subscription.status = neverPaid ? 'incomplete_expired' : 'canceled';
  subscription.canceled_at ??= now;
  subscription.ended_at = now;
  subscription.cancellation_details = {
    comment: details.comment ?? subscription.cancellation_details.comment,
    feedback: details.feedback ?? subscription.cancellation_details.feedback,
    feedback_option: null,
    reason: details.reason ?? subscription.cancellation_details.reason,
  };
  if (neverPaid) voidOpen(world, subscription);
  else stopCollecting(world, subscription);
  emit(world, 'customer.subscription.deleted', subscription);
}

function voidOpen(world: World, subscription: Subscription): void {
  for (const invoice of world.store.all('invoice', { key: 'subscription', value: subscription.id })) {
    if (invoice.status === 'open') voidInvoice(world, invoice);
  }
}

/** An unpaid first invoice's time is up: the subscription never began. */
export function expireIncomplete(world: World, subscription: Subscription): void {
  voidOpen(world, subscription);
  change(world, subscription, 'customer.subscription.updated', () => {
    subscription.status = 'incomplete_expired';
    subscription.canceled_at = world.clock.now();
    subscription.ended_at = world.clock.now();
  });
}
