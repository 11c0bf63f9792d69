import { invalidRequest } from '../errors.ts';
import type { Metadata, Plan, Price, Subscription, SubscriptionItem } from '../model.ts';
import type { World } from '../world.ts';
import type { Redemption } from './discounts.ts';

/** One thing that is subscribed to. */
export interface ItemDraft {
  price: Price;
  /** Null for metered prices. */
  quantity: number | null;
  metadata: Metadata;
  /** The item's own discounts. */
  redemptions?: Redemption[];
}

/** The older form of a recurring price, which subscription items still carry. */
export function planOf(price: Price): Plan {
  const { recurring } = price;
  if (recurring === null) throw invalidRequest(`The price ${price.id} is not recurring.`);
  return {
    id: price.id,
    object: 'plan',
    active: price.active,
    amount: price.unit_amount,
    amount_decimal: price.unit_amount_decimal,
    billing_scheme: price.billing_scheme,
    created: price.created,
    currency: price.currency,
    interval: recurring.interval,
    interval_count: recurring.interval_count,
    livemode: false,
    metadata: price.metadata,
    meter: recurring.meter,
    nickname: price.nickname,
    product: price.product,
    tiers_mode: price.tiers_mode,
    transform_usage: price.transform_quantity,
    trial_period_days: recurring.trial_period_days,
    usage_type: recurring.usage_type,
  };
}

/**
 * A recurring price that can be subscribed to.
 *
 * @throws StripeError when it does not exist, is archived or is charged only once
 */
export function recurringPrice(world: World, id: string, param: string): Price {
  const price = world.need('price', id, param);
  if (price.recurring === null) {
    throw invalidRequest(
      `The price specified is set to \`type=one_time\` but this field only accepts prices with \`type=recurring\`.`,
      { param },
    );
  }
  if (!price.active) {
    throw invalidRequest(`The price specified is inactive. This field only accepts active prices.`, { param });
  }
  return price;
}

/** Makes an item of a subscription for a billing period. */
export function makeItem(
  world: World,
  subscription: string,
  draft: ItemDraft,
  period: { start: number; end: number },
): SubscriptionItem {
  return {
    id: world.ids.make('si_'),
    object: 'subscription_item',
    billing_thresholds: null,
    created: world.clock.now(),
    current_period_end: period.end,
    current_period_start: period.start,
    current_trial: null,
    discounts: [],
    metadata: draft.metadata,
    plan: planOf(draft.price),
    price: draft.price,
    ...(draft.quantity === null ? {} : { quantity: draft.quantity }),
    subscription,
    tax_rates: [],
  };
}

/** The end of the period that is furthest away. */
export function lastPeriodEnd({ items }: Subscription): number {
  return Math.max(...items.data.map((item) => item.current_period_end));
}

/** The end of the period that is nearest. */
export function firstPeriodEnd({ items }: Subscription): number {
  return Math.min(...items.data.map((item) => item.current_period_end));
}
