import { cancelSubscription, hasEnded } from '../billing/cancellation.ts';
import { declineWords } from '../billing/cards.ts';
import { discountsReader, redemptionOf } from '../billing/discounts.ts';
import { refusal } from '../billing/invoices.ts';
import { type ItemDraft, recurringPrice } from '../billing/items.ts';
import { declineOf, needsAuthentication } from '../billing/payments.ts';
import { prorate } from '../billing/prorate.ts';
import { subscribe } from '../billing/subscribe.ts';
import { invoicePending, resumeSubscription, updateSubscription } from '../billing/update-subscription.ts';
import { cardError, invalidRequest, missing } from '../errors.ts';
import { change } from '../events.ts';
import { listShape, pageOf } from '../lists.ts';
import type { Customer, Subscription } from '../model.ts';
import {
  clearable,
  flag,
  group,
  ignored,
  integer,
  list,
  mergeMetadata,
  metadata,
  oneOf,
  optional,
  type Params,
  range,
  required,
  text,
  timeOr,
} from '../params.ts';
import { route } from '../routes.ts';
import type { World } from '../world.ts';
import { usableMethod } from './payment-methods.ts';
import { createPrice } from './prices.ts';

export const prorationBehavior = optional(oneOf('always_invoice', 'create_prorations', 'none'));
const paymentBehavior = optional(
  oneOf('allow_incomplete', 'default_incomplete', 'error_if_incomplete', 'pending_if_incomplete'),
);
const trialSettings = optional(
  group({
    end_behavior: required(group({ missing_payment_method: required(oneOf('cancel', 'create_invoice', 'pause')) })),
  }),
);
const paymentSettings = optional(
  group({
    payment_method_options: optional(ignored),
    payment_method_types: optional(ignored),
    save_default_payment_method: optional(oneOf('off', 'on_subscription')),
  }),
);
const cancellationDetails = optional(
  group({ comment: optional(clearable(text)), feedback: optional(clearable(text)) }),
);

export const itemFields = {
  metadata: optional(metadata),
  price: optional(text),
  price_data: optional(
    group({
      currency: required(text),
      product: required(text),
      recurring: required(
        group({ interval: required(oneOf('day', 'week', 'month', 'year')), interval_count: optional(integer) }),
      ),
      tax_behavior: optional(ignored),
      unit_amount: optional(integer),
      unit_amount_decimal: optional(text),
    }),
  ),
  quantity: optional(integer),
  tax_rates: optional(ignored),
};

const createFields = {
  automatic_tax: optional(ignored),
  billing_cycle_anchor: optional(integer),
  billing_mode: optional(ignored),
  cancel_at: optional(timeOr('max_period_end', 'min_period_end')),
  cancel_at_period_end: optional(flag),
  collection_method: optional(oneOf('charge_automatically', 'send_invoice')),
  currency: optional(text),
  customer: required(text),
  days_until_due: optional(integer),
  default_payment_method: optional(text),
  description: optional(text),
  discounts: optional(discountsReader),
  items: required(list(group(itemFields))),
  metadata: optional(metadata),
  off_session: optional(flag),
  payment_behavior: paymentBehavior,
  payment_settings: paymentSettings,
  proration_behavior: prorationBehavior,
  trial_end: optional(timeOr('now')),
  trial_from_plan: optional(flag),
  trial_period_days: optional(integer),
  trial_settings: trialSettings,
};

type GivenItem = Params<typeof itemFields>;

/** The price that is given for an item, made first when it is given in full; undefined when none is. */
export function itemPrice(world: World, given: GivenItem, index: number) {
  const data = given.price_data;
  if (given.price !== undefined) return recurringPrice(world, given.price, `items[${index}][price]`);
  if (data === undefined) return undefined;
  return createPrice(world, {
    active: undefined,
    billing_scheme: undefined,
    currency: data.currency,
    currency_options: undefined,
    lookup_key: undefined,
    metadata: undefined,
    nickname: undefined,
    product: data.product,
    product_data: undefined,
    recurring: { ...data.recurring, meter: undefined, trial_period_days: undefined, usage_type: undefined },
    tax_behavior: undefined,
    tiers: undefined,
    tiers_mode: undefined,
    transfer_lookup_key: undefined,
    transform_quantity: undefined,
    unit_amount: data.unit_amount,
    unit_amount_decimal: data.unit_amount_decimal,
  });
}

function itemDrafts(world: World, given: readonly GivenItem[]): ItemDraft[] {
  if (given.length === 0) {
    throw invalidRequest('Missing required param: items.', { code: 'parameter_missing', param: 'items' });
  }
  const drafts = given.map((item, index) => {
    const price = itemPrice(world, item, index);
    if (price === undefined) {
      throw invalidRequest('Missing required param: price.', {
        code: 'parameter_missing',
        param: `items[${index}][price]`,
      });
    }
    const metered = price.recurring?.usage_type === 'metered';
    return { price, quantity: metered ? null : (item.quantity ?? 1), metadata: mergeMetadata({}, item.metadata) };
  });
  if (new Set(drafts.map(({ price }) => price.currency)).size > 1) {
    throw invalidRequest('All prices of a subscription must use the same currency.', { param: 'items' });
  }
  return drafts;
}

function trialEndOf(world: World, given: Params<typeof createFields>, items: readonly ItemDraft[]): number | null {
  const now = world.clock.now();
  if (given.trial_end !== undefined && given.trial_period_days !== undefined) {
    throw invalidRequest('You may only specify one of these parameters: trial_end, trial_period_days.');
  }
  if (given.trial_end === 'now') return null;
  if (given.trial_end !== undefined) {
    if (given.trial_end <= now) throw invalidRequest('Timestamp must be in the future.', { param: 'trial_end' });
    return given.trial_end;
  }
  const days =
    given.trial_period_days ??
    (given.trial_from_plan === true ? items[0]?.price.recurring?.trial_period_days : undefined) ??
    0;
  return days > 0 ? now + days * 86_400 : null;
}

/** With `error_if_incomplete` nothing is made unless the payment would go through; so it is asked before. */
function refuseUnlessPayable(world: World, customer: Customer, defaultMethod: string | undefined): void {
  const id = defaultMethod ?? customer.invoice_settings.default_payment_method;
  const method = id === null ? undefined : world.store.get('payment_method', id);
  if (method === undefined) throw refusal({ status: 'failed', error: null, declineCode: 'missing' });
  if (needsAuthentication(method)) throw refusal({ status: 'requires_action' });
  const declineCode = declineOf(world, customer.id, method, true);
  if (declineCode === null) return;
  const { code, message } = declineWords(declineCode);
  throw cardError(message, { code, decline_code: declineCode });
}

function create(world: World, given: Params<typeof createFields>): Subscription {
  const customer = world.need('customer', given.customer, 'customer');
  const items = itemDrafts(world, given.items);
  const trialEnd = trialEndOf(world, given, items);
  const sends = given.collection_method === 'send_invoice';
  if (sends && given.days_until_due === undefined) {
    throw invalidRequest('You must pass `days_until_due` when `collection_method` is `send_invoice`.', {
      param: 'days_until_due',
    });
  }
  const { default_payment_method: methodId } = given;
  if (methodId !== undefined) usableMethod(world, methodId, customer.id, 'default_payment_method');
  const noMethod = methodId === undefined && customer.invoice_settings.default_payment_method === null;
  const behavior = given.payment_behavior ?? 'allow_incomplete';
  const laterIsFine = behavior === 'default_incomplete' || sends || trialEnd !== null;
  const costs = items.some(({ price }) => price.unit_amount !== 0);
  if (noMethod && !laterIsFine && costs) {
    throw invalidRequest(
      'This customer has no attached payment source or default payment method. Please consider adding a default payment method.',
      { code: 'resource_missing' },
    );
  }
  if (behavior === 'error_if_incomplete' && trialEnd === null && costs) refuseUnlessPayable(world, customer, methodId);
  const redemptions = (given.discounts ?? []).map((asked, index) => redemptionOf(world, asked, `discounts[${index}]`));
  const { subscription } = subscribe(world, {
    customer,
    items,
    metadata: mergeMetadata({}, given.metadata),
    description: given.description ?? null,
    trialEnd,
    missingPaymentMethod: given.trial_settings?.end_behavior.missing_payment_method ?? 'create_invoice',
    anchor: given.billing_cycle_anchor ?? null,
    prorate: given.proration_behavior !== 'none',
    cancelAt: given.cancel_at ?? null,
    cancelAtPeriodEnd: given.cancel_at_period_end ?? false,
    collectionMethod: given.collection_method ?? 'charge_automatically',
    daysUntilDue: given.days_until_due ?? null,
    defaultPaymentMethod: methodId ?? null,
    redemptions,
    saveDefaultPaymentMethod: given.payment_settings?.save_default_payment_method ?? 'off',
    onSession: given.off_session !== true,
    payLater: behavior === 'default_incomplete',
  });
  return subscription;
}

const updateFields = {
  automatic_tax: optional(ignored),
  billing_cycle_anchor: optional(oneOf('now', 'unchanged')),
  cancel_at: optional(clearable(timeOr('max_period_end', 'min_period_end'))),
  cancel_at_period_end: optional(flag),
  cancellation_details: cancellationDetails,
  collection_method: optional(oneOf('charge_automatically', 'send_invoice')),
  days_until_due: optional(integer),
  default_payment_method: optional(clearable(text)),
  description: optional(clearable(text)),
  discounts: optional(discountsReader),
  items: optional(
    list(group({ ...itemFields, id: optional(text), deleted: optional(flag), clear_usage: optional(ignored) })),
  ),
  metadata: optional(metadata),
  off_session: optional(flag),
  pause_collection: optional(
    clearable(
      group({
        behavior: required(oneOf('keep_as_draft', 'mark_uncollectible', 'void')),
        resumes_at: optional(integer),
      }),
    ),
  ),
  payment_behavior: paymentBehavior,
  payment_settings: paymentSettings,
  proration_behavior: prorationBehavior,
  proration_date: optional(integer),
  trial_end: optional(timeOr('now')),
  trial_settings: trialSettings,
};

function update(world: World, subscription: Subscription, given: Params<typeof updateFields>): Subscription {
  const method = given.default_payment_method;
  if (typeof method === 'string') usableMethod(world, method, subscription.customer, 'default_payment_method');
  const pause = given.pause_collection;
  const outcome = updateSubscription(world, subscription, {
    items: given.items?.map((item, index) => ({
      id: item.id,
      price: itemPrice(world, item, index),
      quantity: item.quantity,
      metadata: item.metadata,
      deleted: item.deleted,
    })),
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
    redemptions: given.discounts?.map((asked, index) => redemptionOf(world, asked, `discounts[${index}]`)),
    trialEnd: given.trial_end,
    missingPaymentMethod: given.trial_settings?.end_behavior.missing_payment_method,
  });
  const failed = outcome !== null && (outcome.status === 'failed' || outcome.status === 'requires_action');
  if (failed && given.payment_behavior === 'error_if_incomplete') throw refusal(outcome);
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
    for (const item of subscription.items.data) {
      const period = { start: item.current_period_start, end: item.current_period_end };
      const before = { price: item.price, quantity: item.quantity ?? 0 };
      prorate(world, subscription, item, period, { before, after: null }, world.clock.now());
    }
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

const cancelFields = {
  cancellation_details: cancellationDetails,
  invoice_now: optional(flag),
  prorate: optional(flag),
};

/** Whether a list by status shows it: canceled ones only when they are asked for. */
function hasStatus(subscription: Subscription, wanted: string | undefined): boolean {
  if (wanted === 'all') return true;
  if (wanted === 'ended') return hasEnded(subscription);
  return wanted === undefined ? subscription.status !== 'canceled' : subscription.status === wanted;
}

export const subscriptionRoutes = [
  route('POST', '/subscriptions', createFields, (world, params) =>
    world.inTimeOf(params.customer, () => create(world, params)),
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
      billing_cycle_anchor: optional(oneOf('now', 'unchanged')),
      payment_behavior: paymentBehavior,
      proration_behavior: prorationBehavior,
      proration_date: optional(integer),
    },
    (world, _params, id) =>
      within(world, id, (subscription) => {
        resumeSubscription(world, subscription);
        return subscription;
      }),
  ),
  route('DELETE', '/subscriptions/:id/discount', {}, (world, _params, id) => {
    const subscription = world.need('subscription', id);
    change(world, subscription, 'customer.subscription.updated', () => {
      subscription.discounts = [];
    });
    return { object: 'discount', deleted: true };
  }),
];
