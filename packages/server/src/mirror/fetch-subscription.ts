import type { StripeConnection } from '../stripe/connections.ts';
import { isMissing } from '../stripe/refusal.ts';
import type { Stripe } from '../stripe/types.ts';
import { fetchCustomer } from './fetch-customer.ts';
import { withEveryPayment } from './fetch-payments.ts';
import { type FirstPayment, fetchFirstPayment, firstPaymentSaid } from './first-payment.ts';
import { parseShape } from './parse-shape.ts';
import {
  type CustomerShape,
  InvoiceShape,
  ItemShape as ItemSchema,
  type ItemShape,
  PriceShape,
  SubscriptionShape,
} from './shapes.ts';

/** A subscription with everything that its fact is made of; nothing in it is cut short or left as an id. */
export interface FetchedSubscription {
  subscription: SubscriptionShape;
  items: readonly ItemShape[];
  customer: CustomerShape;
  /** Open invoices and the last paid one; empty and null where the status does not ask for them. */
  openInvoices: readonly InvoiceShape[];
  lastPaidInvoice: InvoiceShape | null;
  /** What has become of the payment that it began with. */
  firstPayment: FirstPayment;
}

/** What a list of subscriptions has to expand, each with `data.` in front. What coupons are good for lies too deep there. */
export const SUBSCRIPTION_EXPANSIONS = ['customer', 'latest_invoice'] as const;

/** The same, and the latest payment: the ledger hears of renewals along with their subscription, without another call. */
export const EXPANSIONS_WITH_PAYMENT = ['customer', 'latest_invoice.payments'];

/** All that its fact needs of a subscription to be expanded. */
const WHOLE = [
  ...EXPANSIONS_WITH_PAYMENT,
  'discounts.source.coupon.applies_to',
  'discounts.source.coupon.currency_options',
];

/** Statuses whose grace, or its end, depends on when the payment fell due. */
const OWES = new Set(['past_due', 'unpaid', 'incomplete']);

/** @returns null when Stripe has no such subscription */
export async function fetchSubscription(connection: StripeConnection, id: string): Promise<FetchedSubscription | null> {
  try {
    const subscription = await connection.client.subscriptions.retrieve(id, { expand: WHOLE });
    return await completeSubscription(connection, subscription);
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/**
 * Adds what a retrieved or listed subscription lacks: items beyond the tenth, coupons and tiers that were too deep to
 * expand, prices in the currency in which they are paid, the customer, payments of the latest invoice beyond the tenth, and
 * the invoices that tell since when money is owed, or whether it ever was paid. Asks Stripe only for what is missing.
 * @throws Stripe's errors; TollgateError `stripe_shape_unexpected`
 */
export async function completeSubscription(
  connection: StripeConnection,
  given: Stripe.Subscription,
): Promise<FetchedSubscription> {
  const { client } = connection;
  let subscription = parseShape(SubscriptionShape, given, 'subscription');
  if (!discountsComplete(subscription.discounts)) {
    const again = await client.subscriptions.retrieve(subscription.id, { expand: WHOLE });
    subscription = parseShape(SubscriptionShape, again, 'subscription');
  }
  const items = itemsComplete(subscription) ? subscription.items.data : await fetchItems(connection, subscription.id);
  const { customer, latest_invoice: latest } = subscription;
  const said = firstPaymentSaid(subscription);
  return {
    subscription:
      typeof latest === 'object' && latest !== null
        ? { ...subscription, latest_invoice: await withEveryPayment(connection, latest) }
        : subscription,
    items: await Promise.all(items.map((item) => paidIn(connection, item, subscription.currency))),
    customer: typeof customer === 'string' ? await fetchPayer(connection, customer) : customer,
    ...(OWES.has(subscription.status)
      ? await fetchInvoices(connection, subscription.id)
      : { openInvoices: [], lastPaidInvoice: null }),
    firstPayment: said === undefined ? await fetchFirstPayment(connection, subscription.id) : said,
  };
}

function itemsComplete({ items }: SubscriptionShape): boolean {
  return (
    !items.has_more &&
    items.data.every(
      ({ discounts, price }) =>
        discountsComplete(discounts) && (price.billing_scheme !== 'tiered' || price.tiers !== undefined),
    )
  );
}

function discountsComplete(discounts: SubscriptionShape['discounts']): boolean {
  return discounts.every((discount) => typeof discount !== 'string' && typeof discount.source.coupon !== 'string');
}

/** Stripe expands four levels deep: an item's coupon can be reached from the list of items alone. */
async function fetchItems({ client }: StripeConnection, subscription: string): Promise<ItemShape[]> {
  const items: ItemShape[] = [];
  const expand = ['data.discounts.source.coupon', 'data.price.tiers'];
  for await (const item of client.subscriptionItems.list({ subscription, limit: 100, expand })) {
    items.push(parseShape(ItemSchema, item, 'subscription item'));
  }
  return items;
}

/** A price shows its default currency, whichever of its currencies the subscription is paid in. */
async function paidIn(connection: StripeConnection, item: ItemShape, currency: string): Promise<ItemShape> {
  if (item.price.currency === currency) return item;
  const price = await fetchPrice(connection, item.price.id, currency);
  const option = price?.currency_options?.[currency];
  return option === undefined ? item : { ...item, price: { ...item.price, ...option, currency } };
}

/** @returns null for a plan of old that was deleted: whoever has subscribed to it keeps it */
async function fetchPrice({ client }: StripeConnection, id: string, currency: string): Promise<PriceShape | null> {
  try {
    const expand = ['currency_options', `currency_options.${currency}.tiers`];
    const price: { deleted?: unknown } = await client.prices.retrieve(id, { expand });
    return price.deleted === true ? null : parseShape(PriceShape, price, 'price');
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** With a customer that is missing its subscriptions have ended, as with one that was deleted. */
async function fetchPayer(connection: StripeConnection, id: string): Promise<CustomerShape> {
  return (await fetchCustomer(connection, id)) ?? { id, deleted: true };
}

async function fetchInvoices({ client }: StripeConnection, subscription: string) {
  const openInvoices: InvoiceShape[] = [];
  for await (const invoice of client.invoices.list({ subscription, status: 'open', limit: 100 })) {
    openInvoices.push(parseShape(InvoiceShape, invoice, 'invoice'));
  }
  // Newest first, as every list of Stripe's.
  const paid = await client.invoices.list({ subscription, status: 'paid', limit: 1 });
  const [last] = paid.data;
  return { openInvoices, lastPaidInvoice: last === undefined ? null : parseShape(InvoiceShape, last, 'invoice') };
}
