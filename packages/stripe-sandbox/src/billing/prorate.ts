import { emit } from '../events.ts';
import type { InvoiceItem, Price, Subscription, SubscriptionItem } from '../model.ts';
import type { World } from '../world.ts';
import { amountFor } from './amounts.ts';

/** What an item was, or becomes. */
export interface ItemState {
  price: Price;
  quantity: number;
}

/** A part of a period that is given back (an amount below zero) or charged. */
export interface Proration extends ItemState {
  amount: number;
  description: string;
  start: number;
  end: number;
}

function addItem(world: World, subscription: Subscription, item: SubscriptionItem, part: Proration): InvoiceItem {
  const { price, quantity, amount } = part;
  const invoiceItem = world.store.insert('invoiceitem', {
    id: world.ids.make('ii_'),
    object: 'invoiceitem',
    amount,
    currency: price.currency,
    customer: subscription.customer,
    customer_account: null,
    date: part.start,
    description: part.description,
    discountable: false,
    discounts: [],
    invoice: null,
    livemode: false,
    metadata: {},
    net_amount: amount,
    parent: {
      subscription_details: { subscription: subscription.id, subscription_item: item.id },
      type: 'subscription_details',
    },
    period: { start: part.start, end: part.end },
    pricing: {
      price_details: { price: price.id, product: price.product },
      type: 'price_details',
      unit_amount_decimal: price.unit_amount_decimal,
    },
    proration: true,
    proration_details: { credited_items: null, discount_amounts: [] },
    quantity,
    quantity_decimal: String(quantity),
    tax_rates: [],
    test_clock: subscription.test_clock,
  });
  emit(world, 'invoiceitem.created', invoiceItem);
  return invoiceItem;
}

/** What is left of the old state of an item's period, and the rest of it in the new state. */
export function prorationsOf(
  world: World,
  period: { start: number; end: number },
  { before, after }: { before: ItemState | null; after: ItemState | null },
  at: number,
): Proration[] {
  const share = Math.max(0, Math.min(1, (period.end - at) / (period.end - period.start)));
  const nameOf = ({ product }: Price) => world.store.get('product', product)?.name ?? product;
  const day = new Date(at * 1000).toISOString().slice(0, 10);
  const part = (state: ItemState, sign: 1 | -1, words: string): Proration => ({
    ...state,
    amount: sign * Math.round(amountFor(state.price, state.quantity) * share),
    description: `${words} on ${nameOf(state.price)} after ${day}`,
    start: at,
    end: period.end,
  });
  const parts = [
    ...(before === null ? [] : [part(before, -1, 'Unused time')]),
    ...(after === null ? [] : [part(after, 1, 'Remaining time')]),
  ];
  return parts.filter(({ amount }) => amount !== 0);
}

/** Gives back what is left of the old state of an item's period, and charges the rest of it in the new state. */
export function prorate(
  world: World,
  subscription: Subscription,
  item: SubscriptionItem,
  period: { start: number; end: number },
  states: { before: ItemState | null; after: ItemState | null },
  at: number,
): void {
  for (const part of prorationsOf(world, period, states, at)) addItem(world, subscription, item, part);
}
