import { amountFor } from '../billing/amounts.ts';
import { firstAnchor } from '../billing/anchor.ts';
import { checkCodes } from '../billing/code-restrictions.ts';
import { redemptionOf } from '../billing/discounts.ts';
import type { Extra } from '../billing/invoice-lines.ts';
import { type ItemDraft, recurringPrice } from '../billing/items.ts';
import { type SubscriptionDraft, subscribe } from '../billing/subscribe.ts';
import { refuseUnlessPayable } from '../billing/update-subscription.ts';
import { invalidRequest } from '../errors.ts';
import type { Subscription } from '../model.ts';
import { mergeMetadata, type Params } from '../params.ts';
import type { World } from '../world.ts';
import { priceOf } from './invoiceitems.ts';
import { usableMethod } from './payment-methods.ts';
import { createPriceFrom } from './prices.ts';
import type { createFields, itemFields } from './subscription-params.ts';

type GivenItem = Params<typeof itemFields>;

/** The price that is given for an item, made first when it is given in full; undefined when none is. */
export function itemPrice(world: World, given: GivenItem, index: number) {
  const data = given.price_data;
  if (given.price !== undefined) return recurringPrice(world, given.price, `items[${index}][price]`);
  if (data === undefined) return undefined;
  return createPriceFrom(world, { ...data, product_data: undefined, tax_behavior: undefined });
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
    return {
      price,
      quantity: metered ? null : (item.quantity ?? 1),
      metadata: mergeMetadata({}, item.metadata),
      redemptions: (item.discounts ?? []).map((asked, at) =>
        redemptionOf(world, asked, `items[${index}][discounts][${at}]`),
      ),
    };
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

function anchorOf(
  world: World,
  given: Params<typeof createFields>,
): Pick<SubscriptionDraft, 'anchor' | 'anchorConfig'> {
  const now = world.clock.now();
  const { billing_cycle_anchor: anchor, billing_cycle_anchor_config: config } = given;
  if (config !== undefined) {
    if (anchor !== undefined) {
      throw invalidRequest(
        'You may only specify one of these parameters: billing_cycle_anchor, billing_cycle_anchor_config.',
      );
    }
    const { day_of_month, hour = null, minute = null, month = null, second = null } = config;
    const anchorConfig = { day_of_month, hour, minute, month, second };
    return { anchor: firstAnchor(anchorConfig, now), anchorConfig };
  }
  if (anchor !== undefined && anchor < now) {
    throw invalidRequest('`billing_cycle_anchor` must be a timestamp in the future.', {
      param: 'billing_cycle_anchor',
    });
  }
  return { anchor: anchor ?? null };
}

/** What is charged once, as parameters give it. */
export function extrasOf(world: World, given: Params<typeof createFields>['add_invoice_items']): Extra[] {
  return (given ?? []).map((item, index) => {
    const { price, price_data, quantity = 1 } = item;
    if (price === undefined && price_data === undefined) {
      throw invalidRequest('Missing required param: price.', {
        code: 'parameter_missing',
        param: `add_invoice_items[${index}][price]`,
      });
    }
    return { price: priceOf(world, { price, price_data }, price_data?.currency ?? 'usd'), quantity };
  });
}

/**
 * Makes a subscription as it is asked for, and tries to collect its first invoice.
 *
 * @throws StripeError when it cannot be made; then nothing was
 */
export function createSubscription(world: World, given: Params<typeof createFields>): Subscription {
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
  if (behavior === 'error_if_incomplete' && trialEnd === null && costs)
    refuseUnlessPayable(world, { customer: customer.id }, methodId ?? null);
  const redemptions = (given.discounts ?? []).map((asked, index) => redemptionOf(world, asked, `discounts[${index}]`));
  checkCodes(world, redemptions, {
    customer: customer.id,
    amount: items.reduce((sum, { price, quantity }) => sum + amountFor(price, quantity ?? 0), 0),
    currency: items[0]?.price.currency ?? 'usd',
  });
  const { subscription } = subscribe(world, {
    customer,
    items,
    metadata: mergeMetadata({}, given.metadata),
    description: given.description ?? null,
    trialEnd,
    missingPaymentMethod: given.trial_settings?.end_behavior.missing_payment_method ?? 'create_invoice',
    trialAnchor: given.trial_settings?.end_behavior.billing_cycle_anchor ?? null,
    ...anchorOf(world, given),
    extras: extrasOf(world, given.add_invoice_items),
    prorate: given.proration_behavior !== 'none',
    cancelAt: given.cancel_at ?? null,
    cancelAtPeriodEnd: given.cancel_at_period_end ?? false,
    collectionMethod: given.collection_method ?? 'charge_automatically',
    daysUntilDue: given.days_until_due ?? null,
    defaultPaymentMethod: methodId ?? null,
    redemptions,
    saveDefaultPaymentMethod: given.payment_settings?.save_default_payment_method ?? 'off',
    // A stored method is charged: whoever bought is not asked for anything.
    onSession: false,
    payLater: behavior === 'default_incomplete',
  });
  return subscription;
}
