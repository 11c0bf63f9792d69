import { emit } from '../events.ts';
import type { InvoiceItem, Price, Subscription, SubscriptionItem } from '../model.ts';
import type { World } from '../world.ts';
import { amountFor } from './amounts.ts';
import { amountOff, heldDiscounts } from './discounts.ts';
import type { Extra } from './invoice-lines.ts';

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

function addItem(
  world: World,
  subscription: Subscription,
  part: Proration,
  given: { discountable: boolean; item?: string; proration: boolean },
): InvoiceItem {
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
    discountable: given.discountable,
    discounts: [],
    invoice: null,
    livemode: false,
    metadata: {},
    net_amount: amount,
    parent: {
      subscription_details: {
        subscription: subscription.id,
        ...(given.item === undefined ? {} : { subscription_item: given.item }),
      },
      type: 'subscription_details',
    },
    period: { start: part.start, end: part.end },
    pricing: {
      price_details: { price: price.id, product: price.product },
      type: 'price_details',
      unit_amount_decimal: price.unit_amount_decimal,
    },
    proration: given.proration,
    ...(given.proration ? { proration_details: { credited_items: null, discount_amounts: [] } } : {}),
    quantity,
    quantity_decimal: String(quantity),
    tax_rates: [],
    test_clock: subscription.test_clock,
  });
  emit(world, 'invoiceitem.created', invoiceItem);
  return invoiceItem;
}

/** Notes a part as an invoice item that waits for the subscription's next invoice. */
export function addProration(world: World, subscription: Subscription, item: SubscriptionItem, part: Proration): void {
  addItem(world, subscription, part, { discountable: false, item: item.id, proration: true });
}

/** Notes what is charged once as an invoice item that waits for the subscription's next invoice. */
export function addExtra(world: World, subscription: Subscription, { price, quantity }: Extra): void {
  const now = world.clock.now();
  const name = world.store.get('product', price.product)?.name ?? price.id;
  const part = { price, quantity, amount: amountFor(price, quantity), description: name, start: now, end: now };
  addItem(world, subscription, part, { discountable: true, proration: false });
}

/** What an item is at the moment. */
export function stateOf({ price, quantity }: SubscriptionItem): ItemState {
  return { price, quantity: quantity ?? 0 };
}

/** What has last been billed for an item's present period, whole or from a change on; undefined when nothing was. */
function lastDebit(
  world: World,
  subscription: Subscription,
  itemId: string,
  end: number,
): { amount: number; start: number } | undefined {
  const waiting = world.store
    .all('invoiceitem', { key: 'customer', value: subscription.customer })
    .findLast(
      ({ amount, invoice, parent, period }) =>
        invoice === null &&
        amount >= 0 &&
        period.end === end &&
        parent?.subscription_details.subscription_item === itemId,
    );
  if (waiting !== undefined) return { amount: waiting.amount, start: waiting.period.start };
  const invoices = world.store.all('invoice', { key: 'subscription', value: subscription.id });
  for (const { lines, status } of [...invoices].reverse()) {
    if (status === 'void') continue;
    const line = lines.data.findLast(
      ({ amount, parent, period }) =>
        amount >= 0 && period.end === end && parent.subscription_item_details?.subscription_item === itemId,
    );
    if (line === undefined) continue;
    const off = line.discount_amounts.reduce((sum, { amount }) => sum + amount, 0);
    return { amount: line.amount - off, start: line.period.start };
  }
  return undefined;
}

/** A charge for a part of a period, net of the discounts that still hold. */
function netCharge(
  world: World,
  subscription: Subscription,
  item: SubscriptionItem,
  state: ItemState,
  share: number,
): number {
  const full = amountFor(state.price, state.quantity);
  const held = heldDiscounts(world, subscription, [...item.discounts, ...subscription.discounts]);
  const rest = held.reduce((left, { source }) => {
    const coupon = world.store.get('coupon', source.coupon);
    const fits = coupon && (coupon.$.products.length === 0 || coupon.$.products.includes(state.price.product));
    return fits ? left - amountOff(coupon, left, state.price.currency) : left;
  }, full);
  return Math.round(rest * share);
}

/**
 * What is left of the old state of an item's period, and the rest of it in the new state. As flexible billing has it,
 * what was billed is given back (not what the price says), and both are net of discounts.
 */
export function prorationsOf(
  world: World,
  subscription: Subscription,
  item: SubscriptionItem,
  period: { start: number; end: number },
  { before, after }: { before: ItemState | null; after: ItemState | null },
  at: number,
): Proration[] {
  const { end } = period;
  const share = Math.max(0, Math.min(1, (end - at) / (end - period.start)));
  const nameOf = ({ product }: Price) => world.store.get('product', product)?.name ?? product;
  const day = new Date(at * 1000).toISOString().slice(0, 10);
  const parts: Proration[] = [];
  const add = (state: ItemState, amount: number, words: string) => {
    if (amount === 0) return;
    parts.push({ ...state, amount, description: `${words} on ${nameOf(state.price)} after ${day}`, start: at, end });
  };
  if (before !== null) {
    const debit = lastDebit(world, subscription, item.id, end);
    const unused =
      debit === undefined
        ? amountFor(before.price, before.quantity) * share
        : (debit.amount * (end - Math.max(at, debit.start))) / (end - debit.start);
    add(before, -Math.round(Math.max(0, unused)), 'Unused time');
  }
  if (after !== null) add(after, netCharge(world, subscription, item, after, share), 'Remaining time');
  return parts;
}

/** Gives back what is left of the periods that a subscription's items are in. */
export function creditRest(world: World, subscription: Subscription, from: (item: SubscriptionItem) => number): void {
  for (const item of subscription.items.data) {
    const period = { start: item.current_period_start, end: item.current_period_end };
    const states = { before: stateOf(item), after: null };
    for (const part of prorationsOf(world, subscription, item, period, states, from(item))) {
      addProration(world, subscription, item, part);
    }
  }
}
