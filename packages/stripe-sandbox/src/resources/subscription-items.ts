import { redemptionOf } from '../billing/discounts.ts';
import { updateSubscription } from '../billing/update-subscription.ts';
import { missing } from '../errors.ts';
import { listShape, pageOfNested } from '../lists.ts';
import type { Subscription, SubscriptionItem } from '../model.ts';
import { flag, integer, optional, type Params, required, text } from '../params.ts';
import { route } from '../routes.ts';
import type { World } from '../world.ts';
import { itemPrice } from './create-subscription.ts';
import { itemFields, paymentBehavior, prorationBehavior } from './subscription-params.ts';

/** An item with the subscription that it is in. */
function findItem(world: World, id: string): { item: SubscriptionItem; subscription: Subscription } {
  const [subscription] = world.store.all('subscription', { key: 'item', value: id });
  const item = subscription?.items.data.find((candidate) => candidate.id === id);
  if (subscription === undefined || item === undefined) throw missing('subscription_item', id);
  return { item, subscription };
}

const changeFields = {
  ...itemFields,
  payment_behavior: paymentBehavior,
  proration_behavior: prorationBehavior,
  proration_date: optional(integer),
};

/** The item's own discounts, as parameters give them. */
function redemptionsOf(world: World, { discounts }: Params<Pick<typeof changeFields, 'discounts'>>) {
  return discounts?.map((asked, at) => redemptionOf(world, asked, `discounts[${at}]`));
}

export const subscriptionItemRoutes = [
  route('POST', '/subscription_items', { ...changeFields, subscription: required(text) }, (world, params) => {
    const subscription = world.need('subscription', params.subscription, 'subscription');
    return world.inTimeOf(subscription.customer, () => {
      const { quantity, metadata, payment_behavior, proration_behavior, proration_date } = params;
      updateSubscription(world, subscription, {
        items: [{ price: itemPrice(world, params, 0), quantity, metadata, redemptions: redemptionsOf(world, params) }],
        paymentBehavior: payment_behavior,
        prorationBehavior: proration_behavior,
        prorationDate: proration_date,
      });
      return subscription.items.data.at(-1) ?? subscription;
    });
  }),
  route('GET', '/subscription_items', { ...listShape, subscription: required(text) }, (world, params) => {
    const subscription = world.need('subscription', params.subscription, 'subscription');
    return pageOfNested(subscription.items.data, params, '/v1/subscription_items');
  }),
  route('GET', '/subscription_items/:id', {}, (world, _params, id) => findItem(world, id).item),
  route('POST', '/subscription_items/:id', { ...changeFields, off_session: optional(flag) }, (world, params, id) => {
    const { subscription } = findItem(world, id);
    return world.inTimeOf(subscription.customer, () => {
      const { quantity, metadata, payment_behavior, proration_behavior, proration_date } = params;
      updateSubscription(world, subscription, {
        items: [
          { id, price: itemPrice(world, params, 0), quantity, metadata, redemptions: redemptionsOf(world, params) },
        ],
        paymentBehavior: payment_behavior,
        prorationBehavior: proration_behavior,
        prorationDate: proration_date,
      });
      return findItem(world, id).item;
    });
  }),
  route(
    'DELETE',
    '/subscription_items/:id',
    { clear_usage: optional(flag), proration_behavior: prorationBehavior, proration_date: optional(integer) },
    (world, params, id) => {
      const { subscription } = findItem(world, id);
      world.inTimeOf(subscription.customer, () =>
        updateSubscription(world, subscription, {
          items: [{ id, deleted: true }],
          prorationBehavior: params.proration_behavior,
          prorationDate: params.proration_date,
        }),
      );
      return { id, object: 'subscription_item', deleted: true };
    },
  ),
];
