import type { InvoiceItem, Price, Subscription, SubscriptionItem } from '../model.ts';
import type { World } from '../world.ts';
import { amountFor, money } from './amounts.ts';
import { heldDiscounts } from './discounts.ts';
import type { LineDraft } from './draft-invoice.ts';

const WORDS = { day: 'day', week: 'week', month: 'month', year: 'year' };

/** What a line says, such as `1 × Pro (at $20.00 / month)`. */
function describe(world: World, item: SubscriptionItem, trial: boolean): string {
  const { price } = item;
  const name = world.store.get('product', price.product)?.name ?? price.id;
  if (trial) return `Trial period for ${name}`;
  const { interval, interval_count } = item.plan;
  const every = interval_count === 1 ? WORDS[interval] : `${interval_count} ${WORDS[interval]}s`;
  return `${item.quantity ?? 0} × ${name} (at ${money(amountFor(price, 1), price.currency)} / ${every})`;
}

/**
 * The lines for items in the periods they are in.
 *
 * @param share the part of the period that is paid for; below 1 when the first period is a short one
 */
export function periodLines(
  world: World,
  items: readonly SubscriptionItem[],
  options: { subscription?: Subscription; trial?: boolean; share?: (item: SubscriptionItem) => number } = {},
): LineDraft[] {
  return items.map((item) => {
    const full = amountFor(item.price, item.quantity ?? 0);
    const share = options.share?.(item) ?? 1;
    const { subscription } = options;
    const held = subscription === undefined ? [] : heldDiscounts(world, subscription, item.discounts);
    return {
      amount: options.trial ? 0 : Math.round(full * share),
      description: describe(world, item, options.trial ?? false),
      price: item.price,
      quantity: item.quantity ?? null,
      period: { start: item.current_period_start, end: item.current_period_end },
      subscriptionItem: item.id,
      metadata: { ...item.metadata },
      discounts: held.map(({ id }) => id),
    };
  });
}

/** The invoice items that are waiting for a subscription's next invoice: its own, and those of no subscription. */
export function pendingItems(world: World, subscription: Subscription): InvoiceItem[] {
  return world.store.all('invoiceitem', { key: 'customer', value: subscription.customer }).filter((item) => {
    const own = item.parent?.subscription_details.subscription ?? subscription.id;
    return item.invoice === null && own === subscription.id && item.currency === subscription.currency;
  });
}

/** What waiting invoice items become on an invoice. */
export function pendingLines(world: World, pending: readonly InvoiceItem[]): LineDraft[] {
  return pending.flatMap((item) => {
    const price = world.store.get('price', item.pricing?.price_details.price ?? '');
    if (price === undefined) return [];
    return {
      amount: item.amount,
      description: item.description ?? '',
      price,
      quantity: item.quantity,
      period: item.period,
      subscriptionItem: item.parent?.subscription_details.subscription_item ?? null,
      invoiceItem: item.id,
      proration: item.proration,
      metadata: { ...item.metadata },
    };
  });
}

/** Something that is charged once, along with a subscription's invoice. */
export interface Extra {
  price: Price;
  quantity: number;
}

/** The lines for what is charged once. */
export function extraLines(extras: readonly Extra[], period: { start: number; end: number }): LineDraft[] {
  return extras.map(({ price, quantity }) => ({
    amount: amountFor(price, quantity),
    description: price.nickname ?? price.id,
    price,
    quantity,
    period,
    subscriptionItem: null,
  }));
}
