import { invalidRequest } from '../errors.ts';
import type { Price, Subscription, SubscriptionItem } from '../model.ts';
import { type MetadataChange, mergeMetadata } from '../params.ts';
import type { World } from '../world.ts';
import { makeItem, planOf } from './items.ts';
import { addPeriods } from './periods.ts';
import { type ItemState, prorate } from './prorate.ts';

/** One change of the items of a subscription. */
export interface ItemChange {
  /** Left out: a new item. */
  id?: string | undefined;
  price?: Price | undefined;
  quantity?: number | undefined;
  metadata?: MetadataChange | undefined;
  deleted?: boolean | undefined;
}

export interface ItemChangeOptions {
  prorates: boolean;
  /** From when on the change counts, in Unix seconds. */
  at: number;
  /** What a change gives back and charges; left out: it becomes invoice items. */
  charge?: typeof prorate;
}

function stateOf(item: SubscriptionItem): ItemState {
  return { price: item.price, quantity: item.quantity ?? 0 };
}

/**
 * Refuses changes that cannot be applied, before anything is touched.
 *
 * @throws StripeError when an item does not exist, a new one is incomplete, or nothing would be left
 */
export function checkItems(subscription: Subscription, changes: readonly ItemChange[]): void {
  const left = new Map(subscription.items.data.map((item) => [item.id, item.price.id]));
  changes.forEach(({ id, price, deleted }, index) => {
    if (id !== undefined && !left.has(id)) {
      throw invalidRequest(`No such subscription_item: '${id}'`, {
        code: 'resource_missing',
        param: `items[${index}][id]`,
      });
    }
    const param = `items[${index}][price]`;
    if (id === undefined && price === undefined) {
      throw invalidRequest('Missing required param: price.', { code: 'parameter_missing', param });
    }
    if (price !== undefined && price.currency !== subscription.currency) {
      throw invalidRequest(
        `The price specified supports currency \`${price.currency}\`, not \`${subscription.currency}\`.`,
        { param },
      );
    }
    if (id === undefined && price !== undefined && [...left.values()].includes(price.id)) {
      throw invalidRequest(`Cannot add multiple subscription items with the same plan: ${price.id}`, { param });
    }
    if (id !== undefined && deleted === true) left.delete(id);
    else left.set(id ?? `new ${index}`, price?.id ?? '');
  });
  if (left.size === 0) {
    throw invalidRequest('A subscription must have at least one active plan. Cancel it instead.', { param: 'items' });
  }
}

function changesInterval(before: Price, after: Price): boolean {
  return (
    before.recurring?.interval !== after.recurring?.interval ||
    before.recurring?.interval_count !== after.recurring?.interval_count
  );
}

function addItem(world: World, subscription: Subscription, change: ItemChange, options: ItemChangeOptions): void {
  const { price } = change;
  if (price === undefined || price.recurring === null) return;
  const [sibling] = subscription.items.data;
  const like = sibling !== undefined && !changesInterval(sibling.price, price);
  const period = like
    ? { start: options.at, end: sibling.current_period_end }
    : { start: options.at, end: addPeriods(options.at, price.recurring, 1) };
  const metered = price.recurring.usage_type === 'metered';
  const item = makeItem(
    world,
    subscription.id,
    { price, quantity: metered ? null : (change.quantity ?? 1), metadata: mergeMetadata({}, change.metadata) },
    period,
  );
  subscription.items.data.push(item);
  if (!options.prorates || subscription.status === 'trialing') return;
  const charge = options.charge ?? prorate;
  const full = { start: addPeriods(period.end, price.recurring, -1), end: period.end };
  charge(world, subscription, item, full, { before: null, after: stateOf(item) }, options.at);
}

/**
 * Applies changes that have been checked to a subscription's items. A change of the interval begins a new billing cycle.
 *
 * @returns whether the billing cycle has to begin anew
 */
export function changeItems(
  world: World,
  subscription: Subscription,
  changes: readonly ItemChange[],
  options: ItemChangeOptions,
): boolean {
  let anew = false;
  const charge = options.charge ?? prorate;
  const charges = options.prorates && subscription.status !== 'trialing';
  for (const change of changes) {
    const item = subscription.items.data.find(({ id }) => id === change.id);
    if (item === undefined) {
      addItem(world, subscription, change, options);
      continue;
    }
    const before = stateOf(item);
    const period = { start: item.current_period_start, end: item.current_period_end };
    if (change.deleted === true) {
      subscription.items.data = subscription.items.data.filter((candidate) => candidate !== item);
      if (charges) charge(world, subscription, item, period, { before, after: null }, options.at);
      continue;
    }
    item.metadata = mergeMetadata(item.metadata, change.metadata);
    if (change.price !== undefined) {
      item.price = change.price;
      item.plan = planOf(change.price);
    }
    if (item.price.recurring?.usage_type === 'metered') delete item.quantity;
    else item.quantity = change.quantity ?? item.quantity ?? 1;
    const after = stateOf(item);
    const same = before.price.id === after.price.id && before.quantity === after.quantity;
    if (same) continue;
    const newCycle = changesInterval(before.price, after.price);
    anew ||= newCycle;
    // In a new cycle the whole new period is invoiced, so that only the old one's rest is given back here.
    if (charges) charge(world, subscription, item, period, { before, after: newCycle ? null : after }, options.at);
  }
  return anew;
}
