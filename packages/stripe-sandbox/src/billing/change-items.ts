import { invalidRequest } from '../errors.ts';
import type { Price, Subscription } from '../model.ts';
import { type MetadataChange, mergeMetadata } from '../params.ts';
import type { World } from '../world.ts';
import { cycleAnchor } from './anchor.ts';
import type { Redemption } from './discounts.ts';
import { makeItem, planOf } from './items.ts';
import { boundaryAfter } from './periods.ts';

/** One change of the items of a subscription. */
export interface ItemChange {
  /** Left out: a new item. */
  id?: string | undefined;
  price?: Price | undefined;
  quantity?: number | undefined;
  metadata?: MetadataChange | undefined;
  deleted?: boolean | undefined;
  /** The item's own discounts from now on; left out: they stay. */
  redemptions?: Redemption[] | undefined;
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

/** Whether two prices are billed at different intervals. */
export function changesInterval(before: Price, after: Price): boolean {
  return (
    before.recurring?.interval !== after.recurring?.interval ||
    before.recurring?.interval_count !== after.recurring?.interval_count
  );
}

function addItem(world: World, subscription: Subscription, change: ItemChange, at: number): void {
  const { price } = change;
  if (price === undefined || price.recurring === null) return;
  const sibling = subscription.items.data.find((item) => !changesInterval(item.price, price));
  const inTrial = subscription.status === 'trialing' && subscription.trial_end !== null;
  const end = inTrial
    ? (subscription.trial_end ?? at)
    : (sibling?.current_period_end ?? boundaryAfter(cycleAnchor(subscription), price.recurring, at));
  const metered = price.recurring.usage_type === 'metered';
  const item = makeItem(
    world,
    subscription.id,
    { price, quantity: metered ? null : (change.quantity ?? 1), metadata: mergeMetadata({}, change.metadata) },
    { start: at, end },
  );
  subscription.items.data.push(item);
}

/** Applies changes that have been checked to a subscription's items, as of a time. */
export function changeItems(
  world: World,
  subscription: Subscription,
  changes: readonly ItemChange[],
  at: number,
): void {
  for (const change of changes) {
    const item = subscription.items.data.find(({ id }) => id === change.id);
    if (item === undefined) {
      addItem(world, subscription, change, at);
      continue;
    }
    if (change.deleted === true) {
      subscription.items.data = subscription.items.data.filter((candidate) => candidate !== item);
      continue;
    }
    item.metadata = mergeMetadata(item.metadata, change.metadata);
    if (change.price !== undefined) {
      item.price = change.price;
      item.plan = planOf(change.price);
    }
    if (item.price.recurring?.usage_type === 'metered') delete item.quantity;
    else item.quantity = change.quantity ?? item.quantity ?? 1;
  }
}
