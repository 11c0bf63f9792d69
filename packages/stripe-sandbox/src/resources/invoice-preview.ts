import { changeItems, checkItems, type ItemChange } from '../billing/change-items.ts';
import { activeDiscounts, discountsReader } from '../billing/discounts.ts';
import { buildInvoice, type LineDraft } from '../billing/draft-invoice.ts';
import { pendingItems, pendingLines, periodLines } from '../billing/invoice-lines.ts';
import { firstPeriodEnd, makeItem } from '../billing/items.ts';
import { addPeriods, boundaryAfter } from '../billing/periods.ts';
import { prorationsOf } from '../billing/prorate.ts';
import { invalidRequest } from '../errors.ts';
import { bare } from '../expand.ts';
import type { Customer, Invoice, Subscription, SubscriptionItem } from '../model.ts';
import {
  clearable,
  flag,
  group,
  ignored,
  integer,
  list,
  oneOf,
  optional,
  type Params,
  text,
  timeOr,
} from '../params.ts';
import { route } from '../routes.ts';
import type { World } from '../world.ts';
import { itemPrice } from './create-subscription.ts';
import { buildItem, itemFields as extraFields } from './invoiceitems.ts';
import { itemFields } from './subscription-params.ts';

const previewFields = {
  automatic_tax: optional(ignored),
  currency: optional(text),
  customer: optional(text),
  customer_details: optional(ignored),
  discounts: optional(discountsReader),
  invoice_items: optional(list(group(extraFields))),
  issuer: optional(ignored),
  preview_mode: optional(oneOf('next', 'recurring')),
  subscription: optional(text),
  subscription_details: optional(
    group({
      billing_cycle_anchor: optional(timeOr('now', 'unchanged')),
      billing_mode: optional(ignored),
      cancel_at: optional(clearable(integer)),
      cancel_at_period_end: optional(flag),
      cancel_now: optional(flag),
      items: optional(
        list(group({ ...itemFields, clear_usage: optional(ignored), deleted: optional(flag), id: optional(text) })),
      ),
      proration_behavior: optional(oneOf('always_invoice', 'create_prorations', 'none')),
      proration_date: optional(integer),
      start_date: optional(integer),
      trial_end: optional(timeOr('now')),
    }),
  ),
};

type Given = Params<typeof previewFields>;

function itemChanges(world: World, given: Given): ItemChange[] {
  return (given.subscription_details?.items ?? []).map((item, index) => ({
    id: item.id,
    price: itemPrice(world, item, index),
    quantity: item.quantity,
    deleted: item.deleted,
  }));
}

/** What of a subscription the next invoice charges, with the changes that are tried out. The subscription stays as it is. */
function subscriptionLines(
  world: World,
  stored: Subscription,
  given: Given,
): { lines: LineDraft[]; period: { start: number; end: number } } {
  const tried = structuredClone(stored);
  const now = world.clock.now();
  const details = given.subscription_details;
  const behavior = details?.proration_behavior ?? 'create_prorations';
  const changes = itemChanges(world, given);
  const prorations: LineDraft[] = [];
  checkItems(stored, changes);
  const anew = changeItems(world, tried, changes, {
    prorates: behavior !== 'none',
    at: details?.proration_date ?? now,
    charge: (_world, _subscription, item, period, states, at) => {
      for (const { amount, description, price, quantity, start, end } of prorationsOf(world, period, states, at)) {
        const line = { amount, description, price, quantity, period: { start, end }, proration: true };
        prorations.push({ ...line, subscriptionItem: item.id });
      }
    },
  });
  const pending = pendingLines(world, pendingItems(world, stored));
  if (behavior === 'always_invoice' && !anew) return { lines: prorations, period: { start: now, end: now } };
  const begins = anew || details?.billing_cycle_anchor === 'now' ? now : firstPeriodEnd(tried);
  const next = tried.items.data
    .filter((item) => begins === now || item.current_period_end === begins)
    .flatMap((item): SubscriptionItem[] => {
      const { recurring } = item.price;
      if (recurring === null) return [];
      const end =
        begins === now ? addPeriods(now, recurring, 1) : boundaryAfter(tried.billing_cycle_anchor, recurring, begins);
      return [{ ...item, current_period_start: begins, current_period_end: end }];
    });
  const ends = stored.cancel_at !== null && stored.cancel_at <= begins;
  const lines = [...pending, ...prorations, ...(ends ? [] : periodLines(world, next))];
  return {
    lines,
    period: { start: Math.min(...stored.items.data.map((item) => item.current_period_start)), end: begins },
  };
}

/** What a subscription that is yet to be made would charge at once. */
function newLines(world: World, given: Given): { lines: LineDraft[]; period: { start: number; end: number } } {
  const now = world.clock.now();
  const items = (given.subscription_details?.items ?? []).flatMap((item, index): SubscriptionItem[] => {
    const price = itemPrice(world, item, index);
    if (price === undefined || price.recurring === null) return [];
    const period = { start: now, end: addPeriods(now, price.recurring, 1) };
    return [makeItem(world, '', { price, quantity: item.quantity ?? 1, metadata: {} }, period)];
  });
  return { lines: periodLines(world, items), period: { start: now, end: now } };
}

function preview(world: World, given: Given, customer: Customer, subscription: Subscription | null): Invoice {
  const { lines, period } =
    subscription === null ? newLines(world, given) : subscriptionLines(world, subscription, given);
  const owner = { customer: customer.id, subscription: subscription?.id ?? null, invoice: null };
  const extras = (given.invoice_items ?? []).map((item) => buildItem(world, item, owner));
  const all = [...lines, ...pendingLines(world, extras)];
  if (all.length === 0) {
    throw invalidRequest(`No upcoming invoices for customer: ${customer.id}`, { code: 'invoice_upcoming_none' });
  }
  const invoice = buildInvoice(world, {
    customer,
    subscription,
    reason: 'upcoming',
    currency: subscription?.currency ?? all[0]?.price.currency ?? 'usd',
    lines: all,
    discounts: subscription === null ? [] : activeDiscounts(world, subscription.discounts),
    period,
    fields: { created: period.end, next_payment_attempt: period.end },
  });
  const due = Math.max(0, invoice.total + customer.balance);
  Object.assign(invoice, {
    amount_due: due,
    amount_remaining: due,
    ending_balance: invoice.total + customer.balance - due,
    id: `upcoming_${invoice.id}`,
  });
  return invoice;
}

/** What the next invoice would be, as it stands or with changes that are only tried out. */
export const invoicePreviewRoutes = [
  route('POST', '/invoices/create_preview', previewFields, (world, params) => {
    const subscription =
      params.subscription === undefined ? null : world.need('subscription', params.subscription, 'subscription');
    const customerId = subscription?.customer ?? params.customer;
    if (customerId === undefined) {
      throw invalidRequest('You must specify one of: customer, subscription.', {
        code: 'parameter_missing',
        param: 'customer',
      });
    }
    const customer = world.need('customer', customerId, 'customer');
    return world.inTimeOf(customer.id, () => bare(preview(world, params, customer, subscription)));
  }),
];
