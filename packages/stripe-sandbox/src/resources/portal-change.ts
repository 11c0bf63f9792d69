import { recurringPrice } from '../billing/items.ts';
import { updateSubscription } from '../billing/update-subscription.ts';
import { invalidRequest } from '../errors.ts';
import type { Invoice, PortalConfiguration, PortalSession, Price, Subscription, SubscriptionItem } from '../model.ts';
import type { World } from '../world.ts';
import { previewOfChange } from './invoice-preview.ts';
import { featuresOf, ownSubscription, refuse } from './portal-actions.ts';

/** What a customer wants in place of what they have: another price, another quantity, or both. */
export interface PlanChange {
  price: string;
  /** As typed; empty where the quantity stays. */
  quantity: string;
}

/** What a change costs. */
export interface ChangePreview {
  price: Price;
  quantity: number;
  /** Minor units, in the price's currency: what is charged at once. */
  dueNow: number;
  /** What stands on the invoice that is made at once; empty without one. */
  lines: readonly { description: string; amount: number }[];
  /** Minor units that the next renewal gives back (below zero) or asks on top. */
  later: number;
  /** Unix seconds: when the plan renews after the change. */
  renewsAt: number;
}

type Update = Parameters<typeof updateSubscription>[2];

const MOST = 999_999;

/** How many a customer may choose of a price's product; null where the configuration does not let them. */
export function quantityRangeOf(
  { features }: PortalConfiguration,
  price: Price,
): { minimum: number; maximum: number } | null {
  const { enabled, default_allowed_updates, products } = features.subscription_update;
  if (!enabled || !default_allowed_updates.includes('quantity')) return null;
  const adjustable = products.find(({ product }) => product === price.product)?.adjustable_quantity;
  if (adjustable?.enabled !== true) return null;
  return { minimum: Math.max(1, adjustable.minimum), maximum: adjustable.maximum ?? MOST };
}

interface Wanted {
  subscription: Subscription;
  item: SubscriptionItem;
  price: Price;
  quantity: number;
}

/** @throws StripeError when that is not allowed or not offered, or the subscription is not theirs */
function wantedOf(world: World, session: PortalSession, subscriptionId: string, change: PlanChange): Wanted {
  const subscription = ownSubscription(world, session, subscriptionId);
  const configuration = world.need('billing_portal.configuration', session.configuration, 'configuration');
  const { subscription_update: feature } = configuration.features;
  const [item, ...others] = subscription.items.data;
  if (item === undefined || others.length > 0) refuse('change a subscription with several items');
  const price = change.price === '' ? item.price : recurringPrice(world, change.price, 'price');
  if (price.id !== item.price.id) {
    const offered = feature.products.some(({ prices }) => prices.includes(price.id));
    if (!feature.enabled || !feature.default_allowed_updates.includes('price') || !offered)
      refuse('change to this plan');
  }
  const quantity = quantityOf(configuration, price, item.quantity ?? 1, change.quantity.trim());
  return { subscription, item, price, quantity };
}

function quantityOf(configuration: PortalConfiguration, price: Price, has: number, typed: string): number {
  if (typed === '' || typed === String(has)) return has;
  const range = quantityRangeOf(configuration, price);
  if (range === null) refuse('change the quantity of this plan');
  const quantity = /^\d{1,6}$/.test(typed) ? Number(typed) : Number.NaN;
  if (quantity >= range.minimum && quantity <= range.maximum) return quantity;
  throw invalidRequest(`Give a whole number from ${range.minimum} to ${range.maximum}.`, { param: 'quantity' });
}

function updateOf(world: World, session: PortalSession, { subscription, item, price, quantity }: Wanted): Update {
  const feature = featuresOf(world, session).subscription_update;
  const endsTrial = feature.trial_update_behavior === 'end_trial' && subscription.status === 'trialing';
  return {
    items: [{ id: item.id, price, ...(item.quantity === undefined ? {} : { quantity }) }],
    prorationBehavior: feature.proration_behavior,
    ...(endsTrial ? { trialEnd: 'now' } : {}),
  };
}

/**
 * What a change would cost: nothing is changed.
 *
 * @throws StripeError as `changePlanFromPortal` does
 */
export function previewChange(
  world: World,
  session: PortalSession,
  subscriptionId: string,
  change: PlanChange,
): ChangePreview {
  return world.inTimeOf(session.customer, () => {
    const wanted = wantedOf(world, session, subscriptionId, change);
    const { subscription, item, price, quantity } = wanted;
    const update = updateOf(world, session, wanted);
    const invoice = previewOfChange(world, subscription, {
      items: {
        0: { id: item.id, price: price.id, ...(item.quantity === undefined ? {} : { quantity: `${quantity}` }) },
      },
      proration_behavior: update.prorationBehavior ?? 'create_prorations',
      ...(update.trialEnd === undefined ? {} : { trial_end: `${update.trialEnd}` }),
    });
    const atOnce = invoice.period_end <= world.clock.now();
    const lines = invoice.lines.data.map(({ description, amount }) => ({ description: description ?? '', amount }));
    return {
      price,
      quantity,
      dueNow: atOnce ? invoice.amount_due : 0,
      lines: atOnce ? lines : [],
      later: atOnce ? 0 : prorationsOn(invoice),
      renewsAt: renewalAfter(invoice, item, atOnce),
    };
  });
}

function prorationsOn({ lines }: Invoice): number {
  return lines.data.reduce((sum, { amount, parent }) => sum + (isProration(parent) ? amount : 0), 0);
}

function isProration({
  invoice_item_details,
  subscription_item_details,
}: Invoice['lines']['data'][number]['parent']): boolean {
  return (invoice_item_details ?? subscription_item_details)?.proration === true;
}

function renewalAfter({ lines }: Invoice, item: SubscriptionItem, atOnce: boolean): number {
  if (!atOnce) return item.current_period_end;
  const ends = lines.data.filter(({ parent }) => !isProration(parent)).map(({ period }) => period.end);
  return ends.length === 0 ? item.current_period_end : Math.max(...ends);
}

/**
 * The customer changes to another price or quantity that the configuration offers.
 *
 * @throws StripeError when that is not allowed or not offered, or the subscription is not theirs
 */
export function changePlanFromPortal(
  world: World,
  session: PortalSession,
  subscriptionId: string,
  change: PlanChange,
): Subscription {
  return world.inTimeOf(session.customer, () => {
    const wanted = wantedOf(world, session, subscriptionId, change);
    updateSubscription(world, wanted.subscription, updateOf(world, session, wanted));
    return wanted.subscription;
  });
}
