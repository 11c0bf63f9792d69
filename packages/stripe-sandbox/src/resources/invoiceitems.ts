import { adHocPrice } from '../billing/ad-hoc-price.ts';
import { amountFor } from '../billing/amounts.ts';
import { makeLine, recount } from '../billing/draft-invoice.ts';
import { pendingLines } from '../billing/invoice-lines.ts';
import { invalidRequest } from '../errors.ts';
import { emit } from '../events.ts';
import { listShape, pageOf } from '../lists.ts';
import type { Invoice, InvoiceItem, Price } from '../model.ts';
import {
  amount,
  clearable,
  currencyCode,
  decimal,
  flag,
  group,
  ignored,
  integer,
  mergeMetadata,
  metadata,
  optional,
  type Params,
  range,
  required,
  text,
} from '../params.ts';
import { route } from '../routes.ts';
import type { World } from '../world.ts';

const pricing = optional(group({ price: optional(text) }));
export const priceData = optional(
  group({
    currency: required(currencyCode),
    product: required(text),
    tax_behavior: optional(ignored),
    unit_amount: optional(integer),
    unit_amount_decimal: optional(decimal),
  }),
);

/** What an invoice item can be made with; also used for the items of a preview. */
export const itemFields = {
  amount: optional(integer),
  currency: optional(text),
  description: optional(text),
  discountable: optional(flag),
  discounts: optional(ignored),
  metadata: optional(metadata),
  period: optional(group({ end: required(integer), start: required(integer) })),
  price: optional(text),
  price_data: priceData,
  pricing,
  quantity: optional(amount),
  tax_behavior: optional(ignored),
  tax_code: optional(ignored),
  tax_rates: optional(ignored),
  unit_amount: optional(integer),
  unit_amount_decimal: optional(decimal),
};

type Given = Params<typeof itemFields>;

type Costs = 'amount' | 'description' | 'price' | 'price_data' | 'pricing' | 'unit_amount' | 'unit_amount_decimal';

/** What an item costs: a one-time price, or an amount that stands for one. */
export function priceOf(world: World, given: Partial<Pick<Given, Costs>>, currency: string): Price {
  const id = given.pricing?.price ?? given.price;
  if (id !== undefined) {
    const price = world.need('price', id, given.price === undefined ? 'pricing[price]' : 'price');
    if (price.recurring !== null) {
      throw invalidRequest(
        'The price specified is set to `type=recurring` but this field only accepts prices with `type=one_time`.',
        { param: given.price === undefined ? 'pricing[price]' : 'price' },
      );
    }
    return price;
  }
  const data = given.price_data;
  if (data !== undefined) world.need('product', data.product, 'price_data[product]');
  const whole = data?.unit_amount ?? given.unit_amount ?? given.amount;
  const text = data?.unit_amount_decimal ?? given.unit_amount_decimal ?? (whole === undefined ? undefined : `${whole}`);
  if (text === undefined) {
    throw invalidRequest('You must specify one of: amount, pricing, price_data, unit_amount_decimal.', {
      code: 'parameter_missing',
      param: 'amount',
    });
  }
  return adHocPrice(world, {
    currency: data?.currency.toLowerCase() ?? currency,
    unitAmount: Number.isInteger(Number(text)) ? Number(text) : null,
    unitAmountDecimal: text,
    name: given.description ?? 'Invoice item',
    ...(data === undefined ? {} : { product: data.product }),
  });
}

/** An invoice item as it would be, without making it. */
export function buildItem(
  world: World,
  given: Given,
  owner: { customer: string; subscription: string | null; invoice: string | null },
): InvoiceItem {
  const customer = world.need('customer', owner.customer, 'customer');
  const price = priceOf(world, given, given.currency?.toLowerCase() ?? customer.currency ?? 'usd');
  const quantity = given.quantity ?? 1;
  const total = given.amount ?? amountFor(price, quantity);
  const now = world.clock.now();
  return {
    id: world.ids.make('ii_'),
    object: 'invoiceitem',
    amount: total,
    currency: price.currency,
    customer: customer.id,
    customer_account: null,
    date: now,
    description: given.description ?? world.store.get('product', price.product)?.name ?? null,
    discountable: given.discountable ?? total >= 0,
    discounts: [],
    invoice: owner.invoice,
    livemode: false,
    metadata: mergeMetadata({}, given.metadata),
    net_amount: total,
    parent:
      owner.subscription === null
        ? null
        : {
            subscription_details: { subscription: owner.subscription },
            type: 'subscription_details',
          },
    period: given.period ?? { start: now, end: now },
    pricing: {
      price_details: { price: price.id, product: price.product },
      type: 'price_details',
      unit_amount_decimal: price.unit_amount_decimal,
    },
    proration: false,
    quantity,
    quantity_decimal: String(quantity),
    tax_rates: [],
    test_clock: customer.test_clock,
  };
}

/** Puts an item on a draft, as a line of it. */
function putOnInvoice(world: World, invoice: Invoice, item: InvoiceItem): void {
  const subscription = item.parent?.subscription_details.subscription ?? null;
  const lines = pendingLines(world, [item]).map((line) =>
    makeLine(world, invoice.id, subscription, line, invoice.currency),
  );
  invoice.lines.data.push(...lines);
  item.invoice = invoice.id;
  recount(world, invoice);
}

function takeOffInvoice(world: World, invoice: Invoice, item: InvoiceItem): void {
  invoice.lines.data = invoice.lines.data.filter(
    ({ parent }) =>
      parent.invoice_item_details?.invoice_item !== item.id &&
      parent.subscription_item_details?.invoice_item !== item.id,
  );
  recount(world, invoice);
}

/** The draft that an item stands on, if any. */
function draftOf(world: World, item: InvoiceItem): Invoice | undefined {
  const invoice = item.invoice === null ? undefined : world.store.get('invoice', item.invoice);
  if (invoice !== undefined && invoice.status !== 'draft') {
    throw invalidRequest('This invoice item is attached to an invoice that is no longer editable.', {
      code: 'invoice_not_editable',
    });
  }
  return invoice;
}

function create(
  world: World,
  given: Given & { customer: string; invoice: string | undefined; subscription: string | undefined },
): InvoiceItem {
  const invoice = given.invoice === undefined ? undefined : world.need('invoice', given.invoice, 'invoice');
  if (invoice !== undefined && invoice.status !== 'draft') {
    throw invalidRequest('You can only add items to a draft invoice.', {
      code: 'invoice_not_editable',
      param: 'invoice',
    });
  }
  if (given.subscription !== undefined) world.need('subscription', given.subscription, 'subscription');
  const item = buildItem(world, given, {
    customer: given.customer,
    subscription: given.subscription ?? null,
    invoice: invoice?.id ?? null,
  });
  world.store.insert('invoiceitem', item);
  emit(world, 'invoiceitem.created', item);
  if (invoice !== undefined) putOnInvoice(world, invoice, item);
  return item;
}

export const invoiceItemRoutes = [
  route(
    'POST',
    '/invoiceitems',
    { ...itemFields, customer: required(text), invoice: optional(text), subscription: optional(text) },
    (world, params) => world.inTimeOf(params.customer, () => create(world, params)),
  ),
  route(
    'GET',
    '/invoiceitems',
    {
      ...listShape,
      created: optional(range),
      customer: optional(text),
      invoice: optional(text),
      pending: optional(flag),
    },
    (world, params) =>
      pageOf(world.store, 'invoiceitem', params, {
        url: '/v1/invoiceitems',
        by: params.customer === undefined ? undefined : { key: 'customer', value: params.customer },
        keep: (item) =>
          (params.invoice === undefined || item.invoice === params.invoice) &&
          (params.pending === undefined || (item.invoice === null) === params.pending) &&
          (params.created?.(item.date) ?? true),
      }),
  ),
  route('GET', '/invoiceitems/:id', {}, (world, _params, id) => world.need('invoiceitem', id)),
  route('POST', '/invoiceitems/:id', { ...itemFields, description: optional(clearable(text)) }, (world, params, id) => {
    const item = world.need('invoiceitem', id);
    const invoice = draftOf(world, item);
    const metadataAfter = mergeMetadata(item.metadata, params.metadata);
    const { description, ...rest } = params;
    const costs = [params.amount, params.price, params.price_data, params.pricing, params.unit_amount_decimal];
    const repriced = costs.some((given) => given !== undefined);
    if (repriced || params.quantity !== undefined) {
      const quantity = params.quantity ?? item.quantity;
      const price = repriced
        ? priceOf(world, { ...rest, description: undefined }, item.currency)
        : world.need('price', item.pricing?.price_details.price ?? '');
      const total = params.amount ?? amountFor(price, quantity);
      Object.assign(item, { amount: total, net_amount: total, quantity, quantity_decimal: String(quantity) });
      item.pricing = {
        price_details: { price: price.id, product: price.product },
        type: 'price_details',
        unit_amount_decimal: price.unit_amount_decimal,
      };
    }
    if (description !== undefined) item.description = description;
    if (params.period !== undefined) item.period = params.period;
    if (params.discountable !== undefined) item.discountable = params.discountable;
    item.metadata = metadataAfter;
    if (invoice !== undefined) {
      takeOffInvoice(world, invoice, item);
      putOnInvoice(world, invoice, item);
    }
    return item;
  }),
  route('DELETE', '/invoiceitems/:id', {}, (world, _params, id) => {
    const item = world.need('invoiceitem', id);
    const invoice = draftOf(world, item);
    if (invoice !== undefined) takeOffInvoice(world, invoice, item);
    emit(world, 'invoiceitem.deleted', item);
    return world.remove('invoiceitem', id);
  }),
];
