import { invalidRequest, missing } from '../errors.ts';
import { change, emit } from '../events.ts';
import { listShape, pageOf } from '../lists.ts';
import type { Price, Tier } from '../model.ts';
import {
  amount,
  clearable,
  currencyCode,
  decimal,
  flag,
  group,
  ignored,
  integer,
  list,
  mergeMetadata,
  metadata,
  oneOf,
  optional,
  type Params,
  range,
  required,
  text,
  timeOr,
} from '../params.ts';
import { route } from '../routes.ts';
import type { World } from '../world.ts';
import { createProduct } from './create-product.ts';

const LONGEST_PERIOD = { day: 1095, week: 156, month: 36, year: 3 };

const recurringFields = {
  interval: required(oneOf('day', 'week', 'month', 'year')),
  interval_count: optional(integer),
  meter: optional(text),
  trial_period_days: optional(integer),
  usage_type: optional(oneOf('licensed', 'metered')),
};

const productDataFields = {
  id: optional(text),
  name: required(text),
  active: optional(flag),
  metadata: optional(metadata),
  statement_descriptor: optional(text),
  tax_code: optional(text),
  tax_details: optional(ignored),
  unit_label: optional(text),
};

/** What a price can be made with. */
export const priceFields = {
  currency: required(currencyCode),
  active: optional(flag),
  billing_scheme: optional(oneOf('per_unit', 'tiered')),
  currency_options: optional(ignored),
  lookup_key: optional(text),
  metadata: optional(metadata),
  nickname: optional(text),
  product: optional(text),
  product_data: optional(group(productDataFields)),
  recurring: optional(group(recurringFields)),
  tax_behavior: optional(oneOf('exclusive', 'inclusive', 'unspecified')),
  tiers: optional(
    list(
      group({
        flat_amount: optional(amount),
        flat_amount_decimal: optional(decimal),
        unit_amount: optional(amount),
        unit_amount_decimal: optional(decimal),
        up_to: required(timeOr('inf')),
      }),
    ),
  ),
  tiers_mode: optional(oneOf('graduated', 'volume')),
  transfer_lookup_key: optional(flag),
  transform_quantity: optional(group({ divide_by: required(integer), round: required(oneOf('down', 'up')) })),
  unit_amount: optional(amount),
  unit_amount_decimal: optional(decimal),
};

function tiersOf(given: Params<typeof priceFields>): Tier[] {
  return (given.tiers ?? []).map((tier) => ({
    flat_amount: tier.flat_amount ?? null,
    flat_amount_decimal: tier.flat_amount_decimal ?? (tier.flat_amount === undefined ? null : String(tier.flat_amount)),
    unit_amount: tier.unit_amount ?? null,
    unit_amount_decimal: tier.unit_amount_decimal ?? (tier.unit_amount === undefined ? null : String(tier.unit_amount)),
    up_to: tier.up_to === 'inf' ? null : tier.up_to,
  }));
}

/**
 * Refuses what cannot become a price, before anything is made.
 *
 * @throws StripeError that names the parameter
 */
export function checkPrice(world: World, given: Params<typeof priceFields>): void {
  checkAmounts(given);
  recurringOf(given);
  if (!/^[a-zA-Z]{3}$/.test(given.currency)) {
    throw invalidRequest(`Invalid currency: ${given.currency}`, { param: 'currency' });
  }
  const key = given.lookup_key;
  if (key !== undefined && given.transfer_lookup_key !== true) takeLookupKey(world, key, false);
}

function checkAmounts(given: Params<typeof priceFields>): void {
  if (given.billing_scheme === 'tiered') {
    if (given.tiers_mode === undefined || (given.tiers ?? []).length === 0) {
      throw invalidRequest('You must pass `tiers` and `tiers_mode` when `billing_scheme` is `tiered`.', {
        param: 'tiers',
      });
    }
    if (given.tiers?.at(-1)?.up_to !== 'inf') {
      throw invalidRequest('The last tier must have `up_to` set to `inf`.', { param: 'tiers' });
    }
    return;
  }
  if (given.unit_amount === undefined && given.unit_amount_decimal === undefined) {
    throw invalidRequest('You must specify either `unit_amount` or `unit_amount_decimal`.', { param: 'unit_amount' });
  }
  if (given.unit_amount !== undefined && given.unit_amount_decimal !== undefined) {
    throw invalidRequest('You may only specify one of these parameters: unit_amount, unit_amount_decimal.');
  }
}

function recurringOf(given: Params<typeof priceFields>): Price['recurring'] {
  const { recurring } = given;
  if (recurring === undefined) return null;
  const count = recurring.interval_count ?? 1;
  if (count < 1 || count > LONGEST_PERIOD[recurring.interval]) {
    throw invalidRequest('Invalid interval_count: a period is at most three years.', {
      param: 'recurring[interval_count]',
    });
  }
  return {
    interval: recurring.interval,
    interval_count: count,
    meter: recurring.meter ?? null,
    trial_period_days: recurring.trial_period_days ?? null,
    usage_type: recurring.usage_type ?? 'licensed',
  };
}

/** A lookup key belongs to one active or inactive price at a time; it moves only when that was asked for. */
function takeLookupKey(world: World, key: string, transfer: boolean, self?: Price): void {
  const holder = world.store.all('price').find((price) => price.lookup_key === key && price !== self);
  if (holder === undefined) return;
  if (!transfer) {
    throw invalidRequest(
      `A price (\`${holder.id}\`) already uses that lookup key. To transfer it, set \`transfer_lookup_key\` to true.`,
      { code: 'resource_already_exists', param: 'lookup_key' },
    );
  }
  change(world, holder, 'price.updated', () => {
    holder.lookup_key = null;
  });
}

function productFor(world: World, given: Params<typeof priceFields>): string {
  if (given.product !== undefined) {
    if (given.product_data !== undefined) {
      throw invalidRequest('You may only specify one of these parameters: product, product_data.');
    }
    return world.need('product', given.product, 'product').id;
  }
  if (given.product_data === undefined) {
    throw invalidRequest('You must specify either `product` or `product_data` when creating a price.', {
      code: 'parameter_missing',
      param: 'product',
    });
  }
  return createProduct(world, given.product_data).id;
}

type Given = Params<typeof priceFields>;

/**
 * Makes the price that is given in full (`price_data`) where another one would be named.
 *
 * @throws StripeError when it cannot become a price
 */
export function createPriceFrom(
  world: World,
  data: Pick<Given, 'currency' | 'product' | 'tax_behavior' | 'unit_amount' | 'unit_amount_decimal'> & {
    product_data: Pick<Params<typeof productDataFields>, 'name' | 'metadata' | 'tax_code' | 'unit_label'> | undefined;
    recurring: Pick<Params<typeof recurringFields>, 'interval' | 'interval_count'> | undefined;
  },
): Price {
  const { product_data: sold } = data;
  return createPrice(world, {
    ...data,
    active: undefined,
    billing_scheme: undefined,
    currency_options: undefined,
    lookup_key: undefined,
    metadata: undefined,
    nickname: undefined,
    product_data: sold && {
      name: sold.name,
      metadata: sold.metadata,
      tax_code: sold.tax_code,
      unit_label: sold.unit_label,
      id: undefined,
      active: undefined,
      statement_descriptor: undefined,
      tax_details: undefined,
    },
    recurring: data.recurring && {
      ...data.recurring,
      meter: undefined,
      trial_period_days: undefined,
      usage_type: undefined,
    },
    tiers: undefined,
    tiers_mode: undefined,
    transfer_lookup_key: undefined,
    transform_quantity: undefined,
  });
}

/** Stores a new price and tells about it. */
export function createPrice(world: World, given: Params<typeof priceFields>): Price {
  checkPrice(world, given);
  const recurring = recurringOf(given);
  const productId = productFor(world, given);
  if (given.lookup_key !== undefined) takeLookupKey(world, given.lookup_key, given.transfer_lookup_key ?? false);
  const whole = given.unit_amount_decimal === undefined ? given.unit_amount : wholeOf(given.unit_amount_decimal);
  const price = world.store.insert('price', {
    id: world.ids.make('price_'),
    object: 'price',
    active: given.active ?? true,
    billing_scheme: given.billing_scheme ?? 'per_unit',
    created: world.clock.now(),
    currency: given.currency.toLowerCase(),
    custom_unit_amount: null,
    livemode: false,
    lookup_key: given.lookup_key ?? null,
    metadata: mergeMetadata({}, given.metadata),
    nickname: given.nickname ?? null,
    product: productId,
    recurring,
    tax_behavior: given.tax_behavior ?? 'unspecified',
    tiers_mode: given.tiers_mode ?? null,
    transform_quantity: given.transform_quantity ?? null,
    type: recurring === null ? 'one_time' : 'recurring',
    unit_amount: whole ?? null,
    unit_amount_decimal:
      given.unit_amount_decimal ?? (given.unit_amount === undefined ? null : String(given.unit_amount)),
    $: { tiers: tiersOf(given) },
  });
  emit(world, 'price.created', price);
  return price;
}

function wholeOf(decimalAmount: string): number | undefined {
  const value = Number(decimalAmount);
  return Number.isInteger(value) ? value : undefined;
}

export const priceRoutes = [
  route('POST', '/prices', priceFields, createPrice),
  route(
    'GET',
    '/prices',
    {
      ...listShape,
      active: optional(flag),
      created: optional(range),
      currency: optional(text),
      lookup_keys: optional(list(text)),
      product: optional(text),
      recurring: optional(group({ interval: optional(text), meter: optional(text), usage_type: optional(text) })),
      type: optional(oneOf('one_time', 'recurring')),
    },
    (world, params) =>
      pageOf(world.store, 'price', params, {
        url: '/v1/prices',
        by: params.product === undefined ? undefined : { key: 'product', value: params.product },
        keep: (price) =>
          (params.active === undefined || price.active === params.active) &&
          (params.currency === undefined || price.currency === params.currency) &&
          (params.type === undefined || price.type === params.type) &&
          (params.lookup_keys === undefined || params.lookup_keys.includes(price.lookup_key ?? '')) &&
          (params.recurring?.interval === undefined || price.recurring?.interval === params.recurring.interval) &&
          (params.recurring?.usage_type === undefined || price.recurring?.usage_type === params.recurring.usage_type) &&
          (params.created?.(price.created) ?? true),
      }),
  ),
  route('GET', '/prices/:id', {}, (world, _params, id) => {
    const price = world.store.get('price', id);
    if (price === undefined) throw missing('price', id);
    return price;
  }),
  route(
    'POST',
    '/prices/:id',
    {
      active: optional(flag),
      currency_options: optional(ignored),
      lookup_key: optional(clearable(text)),
      metadata: optional(metadata),
      nickname: optional(clearable(text)),
      tax_behavior: optional(oneOf('exclusive', 'inclusive', 'unspecified')),
      transfer_lookup_key: optional(flag),
    },
    (world, params, id) => {
      const price = world.need('price', id);
      const metadataAfter = mergeMetadata(price.metadata, params.metadata);
      if (typeof params.lookup_key === 'string') {
        takeLookupKey(world, params.lookup_key, params.transfer_lookup_key ?? false, price);
      }
      change(world, price, 'price.updated', () => {
        price.active = params.active ?? price.active;
        price.metadata = metadataAfter;
        price.tax_behavior = params.tax_behavior ?? price.tax_behavior;
        if (params.lookup_key !== undefined) price.lookup_key = params.lookup_key;
        if (params.nickname !== undefined) price.nickname = params.nickname;
      });
      return price;
    },
  ),
];
