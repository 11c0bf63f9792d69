import { cycleAnchor } from '../billing/anchor.ts';
import type { ItemChange } from '../billing/change-items.ts';
import { discountFor, discountsReader, heldDiscounts, redemptionOf } from '../billing/discounts.ts';
import { buildInvoice, type LineDraft } from '../billing/draft-invoice.ts';
import { pendingItems, pendingLines, periodLines } from '../billing/invoice-lines.ts';
import { firstPeriodEnd, makeItem } from '../billing/items.ts';
import { addPeriods, boundaryAfter } from '../billing/periods.ts';
import { planUpdate } from '../billing/plan-update.ts';
import { type Proration, prorationsOf, stateOf } from '../billing/prorate.ts';
import { checkChange, type SubscriptionChange } from '../billing/subscription-change.ts';
import { invalidRequest } from '../errors.ts';
import { bare } from '../expand.ts';
import type { FormGroup } from '../form.ts';
import type { Customer, Discount, Invoice, Subscription, SubscriptionItem } from '../model.ts';
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
  type Reader,
  readParams,
  required,
  text,
  timeOr,
} from '../params.ts';
import { route } from '../routes.ts';
import type { World } from '../world.ts';
import { itemPrice } from './create-subscription.ts';
import { buildItem, itemFields as extraFields } from './invoiceitems.ts';
import { itemFields } from './subscription-params.ts';

const anchorTime = timeOr('now', 'unchanged');
const anchorGroup = group({ timestamp: optional(integer), type: required(oneOf('now', 'timestamp', 'unchanged')) });
/** Where the billing cycle would begin. Older versions of the API take the word or the time itself. */
const previewAnchor: Reader<number | 'now' | 'unchanged'> = (value, path) => {
  if (typeof value === 'string') return anchorTime(value, path);
  const { timestamp, type } = anchorGroup(value, path);
  if (type !== 'timestamp') return type;
  if (timestamp !== undefined) return timestamp;
  throw invalidRequest(`Missing required param: ${path}[timestamp].`, {
    code: 'parameter_missing',
    param: `${path}[timestamp]`,
  });
};

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
      billing_cycle_anchor: optional(previewAnchor),
      billing_mode: optional(ignored),
      cancel_at: optional(clearable(timeOr('max_period_end', 'min_period_end'))),
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

interface Charged {
  lines: LineDraft[];
  period: { start: number; end: number };
}

function prorationLine({ item, part }: { item: SubscriptionItem; part: Proration }): LineDraft {
  const { amount, description, price, quantity, start, end } = part;
  const subscriptionItem = item.id;
  return { amount, description, price, quantity, period: { start, end }, proration: true, subscriptionItem };
}

/** The invoice that ends a subscription at once: what waits, and what is given back. */
function lastLines(world: World, stored: Subscription, given: Given): Charged {
  const now = world.clock.now();
  const prorates = given.subscription_details?.proration_behavior !== 'none' && stored.status !== 'trialing';
  const credits = stored.items.data.flatMap((item) => {
    const period = { start: item.current_period_start, end: item.current_period_end };
    const at = given.subscription_details?.proration_date ?? now;
    const parts = prorationsOf(world, stored, item, period, { before: stateOf(item), after: null }, at);
    return parts.map((part) => prorationLine({ item, part }));
  });
  const waiting = pendingLines(world, pendingItems(world, stored));
  return { lines: [...waiting, ...(prorates ? credits : [])], period: { start: now, end: now } };
}

/** The items in the period that begins at a time, or at the next boundary. */
function itemsFrom(tried: Subscription, begins: number): SubscriptionItem[] {
  return tried.items.data
    .filter((item) => item.current_period_end === begins)
    .flatMap((item): SubscriptionItem[] => {
      const { recurring } = item.price;
      if (recurring === null) return [];
      const end = boundaryAfter(cycleAnchor(tried), recurring, begins);
      return [{ ...item, current_period_start: begins, current_period_end: end }];
    });
}

/** What of a subscription the next invoice charges, with the changes that are tried out. The subscription stays as it is. */
function subscriptionLines(world: World, stored: Subscription, given: Given): Charged {
  const now = world.clock.now();
  const details = given.subscription_details;
  if (details?.cancel_now === true) return lastLines(world, stored, given);
  const anchor = details?.billing_cycle_anchor;
  const wanted: SubscriptionChange = {
    items: itemChanges(world, given),
    prorationBehavior: details?.proration_behavior,
    prorationDate: details?.proration_date,
    billingCycleAnchor: anchor === 'now' ? 'now' : undefined,
    cancelAt: details?.cancel_at,
    cancelAtPeriodEnd: details?.cancel_at_period_end,
    trialEnd: details?.trial_end,
  };
  checkChange(world, stored, wanted);
  const plan = planUpdate(world, stored, wanted);
  const { tried } = plan;
  const prorations = plan.prorations.map(prorationLine);
  const pending = pendingLines(world, pendingItems(world, stored));
  const recurring = given.preview_mode === 'recurring';
  if (plan.invoices && !recurring) {
    const whole = plan.newPeriod ? periodLines(world, tried.items.data, { subscription: tried }) : [];
    return { lines: [...pending, ...prorations, ...whole], period: { start: now, end: now } };
  }
  const begins = firstPeriodEnd(tried);
  const ends = tried.cancel_at !== null && tried.cancel_at <= begins;
  const next = ends ? [] : periodLines(world, itemsFrom(tried, begins), { subscription: tried });
  return {
    lines: recurring ? next : [...pending, ...prorations, ...next],
    period: { start: Math.min(...stored.items.data.map((item) => item.current_period_start)), end: begins },
  };
}

/** What a subscription that is yet to be made would charge at once. */
function newLines(world: World, given: Given): Charged {
  const now = world.clock.now();
  const items = (given.subscription_details?.items ?? []).flatMap((item, index): SubscriptionItem[] => {
    const price = itemPrice(world, item, index);
    if (price === undefined || price.recurring === null) return [];
    const trialEnd = given.subscription_details?.trial_end;
    const end = typeof trialEnd === 'number' ? trialEnd : addPeriods(now, price.recurring, 1);
    const period = { start: now, end };
    return [makeItem(world, '', { price, quantity: item.quantity ?? 1, metadata: {} }, period)];
  });
  const trial = typeof given.subscription_details?.trial_end === 'number';
  return { lines: periodLines(world, items, { trial }), period: { start: now, end: now } };
}

function previewDiscounts(
  world: World,
  given: Given,
  customer: Customer,
  subscription: Subscription | null,
): Discount[] {
  if (given.discounts === undefined) return subscription === null ? [] : heldDiscounts(world, subscription);
  const owner = { customer, subscription: subscription?.id ?? null };
  return given.discounts.map((asked, index) =>
    discountFor(world, redemptionOf(world, asked, `discounts[${index}]`), owner),
  );
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
    discounts: previewDiscounts(world, given, customer, subscription),
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

/**
 * What an invoice would be with a subscription's change, asked for as over the API. One that the change would make at
 * once has a period that ends now.
 */
export function previewOfChange(world: World, subscription: Subscription, details: FormGroup): Invoice {
  const customer = world.need('customer', subscription.customer);
  const asked = readParams(previewFields, { subscription: subscription.id, subscription_details: details });
  return preview(world, asked, customer, subscription);
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
