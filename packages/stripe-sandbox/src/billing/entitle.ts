import { emit } from '../events.ts';
import { nestedList } from '../lists.ts';
import type { ActiveEntitlement, Subscription } from '../model.ts';
import type { World } from '../world.ts';

/** A subscription in one of these gives what its products are for. */
const GIVES = new Set<Subscription['status']>(['active', 'past_due', 'trialing']);

function wantedFeatures(world: World, customer: string): Set<string> {
  const features = new Set<string>();
  for (const { status, items } of world.store.all('subscription', { key: 'customer', value: customer })) {
    if (!GIVES.has(status)) continue;
    for (const { price } of items.data) {
      for (const { entitlement_feature: feature } of featuresOf(world, price.product)) features.add(feature.id);
    }
  }
  return features;
}

/** What a product is for, oldest first. */
export function featuresOf(world: World, product: string) {
  return world.store.all('product_feature', { key: 'product', value: product });
}

/** A customer's active entitlements, oldest first. */
export function entitlementsOf(world: World, customer: string): readonly ActiveEntitlement[] {
  return world.store.all('entitlements.active_entitlement', { key: 'customer', value: customer });
}

/** Brings a customer's active entitlements in line with their subscriptions; tells about it when that changed them. */
function refresh(world: World, customer: string): void {
  const wanted = wantedFeatures(world, customer);
  const has = [...entitlementsOf(world, customer)];
  const gone = has.filter(({ feature }) => !wanted.has(feature));
  const missing = [...wanted].filter((id) => !has.some(({ feature }) => feature === id));
  for (const { id } of gone) world.store.delete('entitlements.active_entitlement', id);
  for (const id of missing) {
    world.store.insert('entitlements.active_entitlement', {
      id: world.ids.make('ent_'),
      object: 'entitlements.active_entitlement',
      feature: id,
      livemode: false,
      lookup_key: world.need('entitlements.feature', id).lookup_key,
      $: { customer },
    });
  }
  if (gone.length === 0 && missing.length === 0) return;
  const before = nestedList(has, `/v1/customer/${customer}/entitlements`);
  const now = nestedList([...entitlementsOf(world, customer)], `/v1/customer/${customer}/entitlements`);
  emit(
    world,
    'entitlements.active_entitlement_summary.updated',
    { object: 'entitlements.active_entitlement_summary', customer, entitlements: now, livemode: false },
    { entitlements: { data: before.data.map(({ $: _hidden, ...shown }) => shown) } },
  );
}

/** Keeps active entitlements in line with subscriptions from now on. Only accounts that have features pay for it. */
export function watchSubscriptions(world: World): void {
  world.onEvent = (type, object) => {
    if (!type.startsWith('customer.subscription.') || world.store.count('product_feature') === 0) return;
    refresh(world, (object as Subscription).customer);
  };
}
