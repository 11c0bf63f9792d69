import { amountFor } from '../billing/amounts.ts';
import { cancelSubscription, hasEnded } from '../billing/cancellation.ts';
import { checkCodes } from '../billing/code-restrictions.ts';
import { redemptionOf } from '../billing/discounts.ts';
import { pauseSubscription } from '../billing/pause.ts';
import { creditRest } from '../billing/prorate.ts';
import { resumeSubscription } from '../billing/resume.ts';
import { invoicePending, updateSubscription } from '../billing/update-subscription.ts';
import { missing } from '../errors.ts';
import { change, emit } from '../events.ts';
import { listShape, pageOf } from '../lists.ts';
import type { Subscription } from '../model.ts';
import { group, ignored, integer, oneOf, optional, type Params, range, required, text } from '../params.ts';
import { route } from '../routes.ts';
import type { World } from '../world.ts';
import { createSubscription, extrasOf, itemPrice } from './create-subscription.ts';
import { usableMethod } from './payment-methods.ts';
import { anchorBehavior, cancelFields, createFields, prorationBehavior, updateFields } from './subscription-params.ts';

function update(world: World, subscription: Subscription, given: Params<typeof updateFields>): Subscription {
  const method = given.default_payment_method;
  if (typeof method === 'string') usableMethod(world, method, subscription.customer, 'default_payment_method');
  const pause = given.pause_collection;
  const redemptions = given.discounts?.map((asked, index) => redemptionOf(world, asked, `discounts[${index}]`));
  checkCodes(world, redemptions ?? [], {
    customer: subscription.customer,
    amount: subscription.items.data.reduce((sum, item) => sum + amountFor(item.price, item.quantity ?? 0), 0),
    currency: subscription.currency,
  });
  updateSubscription(world, subscription, {
    items: given.items?.map((item, index) => ({
      id: item.id,
      price: itemPrice(world, item, index),
      quantity: item.quantity,
      metadata: item.metadata,
      deleted: item.deleted,
      redemptions: item.discounts?.map((asked, at) => redemptionOf(world, asked, `items[${index}][discounts][${at}]`)),
    })),
    extras: given.add_invoice_items && extrasOf(world, given.add_invoice_items),
    paymentBehavior: given.payment_behavior,
    prorationBehavior: given.proration_behavior,
    prorationDate: given.proration_date,
    billingCycleAnchor: given.billing_cycle_anchor,
    cancelAt: given.cancel_at,
    cancelAtPeriodEnd: given.cancel_at_period_end,
    cancellation: given.cancellation_details,
    collectionMethod: given.collection_method,
    daysUntilDue: given.days_until_due,
    defaultPaymentMethod: method,
    description: given.description,
    metadata: given.metadata,
    pauseCollection: pause && { behavior: pause.behavior, resumes_at: pause.resumes_at ?? null },
    redemptions,
    trialEnd: given.trial_end,
    saveDefaultPaymentMethod: given.payment_settings?.save_default_payment_method,
    missingPaymentMethod: given.trial_settings?.end_behavior.missing_payment_method,
    trialAnchor: given.trial_settings?.end_behavior.billing_cycle_anchor,
  });
  return subscription;
}

interface Cancellation {
  cancellation_details: { comment?: string | null | undefined; feedback?: string | null | undefined } | undefined;
  invoice_now: boolean | undefined;
  prorate: boolean | undefined;
}

function cancel(world: World, subscription: Subscription, given: Cancellation): Subscription {
  if (hasEnded(subscription)) throw missing('subscription', subscription.id);
  if (given.prorate === true && subscription.status !== 'trialing') {
    creditRest(world, subscription, () => world.clock.now());
  }
  if (given.invoice_now === true) invoicePending(world, subscription);
  cancelSubscription(world, subscription, {
    reason: 'cancellation_requested',
    comment: given.cancellation_details?.comment ?? null,
    feedback: given.cancellation_details?.feedback ?? null,
  });
  return subscription;
}

/** Carries something out for a subscription, in the time of its customer. */
function within(world: World, id: string, run: (subscription: Subscription) => Subscription): Subscription {
  const subscription = world.need('subscription', id);
  return world.inTimeOf(subscription.customer, () => run(subscription));
}

/** Whether a list by status shows it: canceled ones only when they are asked for. */
function hasStatus(subscription: Subscription, wanted: string | undefined): boolean {
  if (wanted === 'all') return true;
  if (wanted === 'ended') return hasEnded(subscription);
  return wanted === undefined ? subscription.status !== 'canceled' : subscription.status === wanted;
}

export const subscriptionRoutes = [
  route('POST', '/subscriptions', createFields, (world, params) =>
    world.inTimeOf(params.customer, () => createSubscription(world, params)),
  ),
  route(
    'GET',
    '/subscriptions',
    {
      ...listShape,
      collection_method: optional(text),
      created: optional(range),
      current_period_end: optional(range),
      current_period_start: optional(range),
      customer: optional(text),
      price: optional(text),
      status: optional(
        oneOf(
          'active',
          'all',
          'canceled',
          'ended',
          'incomplete',
          'incomplete_expired',
          'past_due',
          'paused',
          'trialing',
          'unpaid',
        ),
      ),
      test_clock: optional(text),
    },
    (world, params) =>
      pageOf(world.store, 'subscription', params, {
        url: '/v1/subscriptions',
        by: params.customer === undefined ? undefined : { key: 'customer', value: params.customer },
        keep: (subscription) =>
          hasStatus(subscription, params.status) &&
          (params.price === undefined || subscription.items.data.some(({ price }) => price.id === params.price)) &&
          (params.collection_method === undefined || subscription.collection_method === params.collection_method) &&
          (params.test_clock === undefined || subscription.test_clock === params.test_clock) &&
          (params.current_period_end === undefined ||
            subscription.items.data.some((item) => params.current_period_end?.(item.current_period_end))) &&
          (params.current_period_start === undefined ||
            subscription.items.data.some((item) => params.current_period_start?.(item.current_period_start))) &&
          (params.created?.(subscription.created) ?? true),
      }),
  ),
  route('GET', '/subscriptions/:id', {}, (world, _params, id) => world.need('subscription', id)),
  route('POST', '/subscriptions/:id', updateFields, (world, params, id) =>
    within(world, id, (subscription) => update(world, subscription, params)),
  ),
  route('DELETE', '/subscriptions/:id', cancelFields, (world, params, id) =>
    within(world, id, (subscription) => cancel(world, subscription, params)),
  ),
  route(
    'POST',
    '/subscriptions/:id/resume',
    {
      billing_cycle_anchor: optional(anchorBehavior),
      payment_behavior: optional(oneOf('resume_on_payment_attempt', 'resume_on_payment_success')),
      proration_behavior: prorationBehavior,
      proration_date: optional(integer),
    },
    (world, params, id) =>
      within(world, id, (subscription) => {
        resumeSubscription(world, subscription, {
          anchor: params.billing_cycle_anchor ?? 'now',
          paymentBehavior: params.payment_behavior ?? 'resume_on_payment_attempt',
          prorationBehavior: params.proration_behavior ?? 'create_prorations',
          prorationDate: params.proration_date,
        });
        return subscription;
      }),
  ),
  route(
    'POST',
    '/subscriptions/:id/pause',
    {
      bill_for: optional(
        group({
          outstanding_usage_through: optional(ignored),
          unused_time_from: optional(group({ type: required(oneOf('item_current_period_start', 'none', 'now')) })),
        }),
      ),
      invoicing_behavior: optional(oneOf('invoice', 'pending_invoice_item')),
      type: optional(oneOf('subscription')),
    },
    (world, params, id) =>
      within(world, id, (subscription) => {
        pauseSubscription(world, subscription, {
          creditFrom: params.bill_for?.unused_time_from?.type ?? 'now',
          invoices: params.invoicing_behavior === 'invoice',
        });
        return subscription;
      }),
  ),
  route('DELETE', '/subscriptions/:id/discount', {}, (world, _params, id) => {
    const subscription = world.need('subscription', id);
    const discount = world.store.get('discount', subscription.discounts[0] ?? '');
    if (discount === undefined) throw missing('discount', id);
    change(world, subscription, 'customer.subscription.updated', () => {
      subscription.discounts = [];
    });
    emit(world, 'customer.discount.deleted', discount);
    const { end: _end, ...rest } = discount;
    return { ...rest, deleted: true };
  }),
];
