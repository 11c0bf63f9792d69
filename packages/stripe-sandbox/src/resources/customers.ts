import { cancelSubscription } from '../billing/cancellation.ts';
import { noteBalance } from '../billing/customer-balance.ts';
import { redeem, redemptionOf } from '../billing/discounts.ts';
import { invalidRequest } from '../errors.ts';
import { change, emit } from '../events.ts';
import { listShape, pageOf } from '../lists.ts';
import type { Customer } from '../model.ts';
import {
  clearable,
  email,
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
  text,
} from '../params.ts';
import { route } from '../routes.ts';
import type { World } from '../world.ts';
import { addressOf, addressReader, shippingOf, shippingReader } from './addresses.ts';
import { checkMethod, giveMethod, usableMethod } from './payment-methods.ts';

const customerFields = {
  address: optional(clearable(addressReader)),
  balance: optional(integer),
  coupon: optional(clearable(text)),
  description: optional(clearable(text)),
  email: optional(clearable(email)),
  invoice_prefix: optional(text),
  invoice_settings: optional(
    group({
      custom_fields: optional(ignored),
      default_payment_method: optional(clearable(text)),
      footer: optional(clearable(text)),
      rendering_options: optional(ignored),
    }),
  ),
  metadata: optional(metadata),
  name: optional(clearable(text)),
  next_invoice_sequence: optional(integer),
  phone: optional(clearable(text)),
  preferred_locales: optional(list(text)),
  shipping: optional(clearable(shippingReader)),
  source: optional(text),
  tax: optional(ignored),
  tax_exempt: optional(clearable(oneOf('exempt', 'none', 'reverse'))),
  validate: optional(ignored),
};

type Given = Params<typeof customerFields>;

function apply(world: World, customer: Customer, given: Given): void {
  if (given.address !== undefined) customer.address = given.address && addressOf(given.address);
  if (given.balance !== undefined && given.balance !== customer.balance) {
    noteBalance(world, customer, {
      amount: given.balance - customer.balance,
      endingBalance: given.balance,
      currency: customer.currency ?? 'usd',
      type: world.store.get('customer', customer.id) === undefined ? 'initial' : 'adjustment',
    });
    customer.balance = given.balance;
  }
  if (given.description !== undefined) customer.description = given.description;
  if (given.email !== undefined) customer.email = given.email;
  if (given.invoice_prefix !== undefined) customer.invoice_prefix = given.invoice_prefix;
  if (given.name !== undefined) customer.name = given.name;
  if (given.next_invoice_sequence !== undefined) customer.next_invoice_sequence = given.next_invoice_sequence;
  if (given.phone !== undefined) customer.phone = given.phone;
  if (given.preferred_locales !== undefined) customer.preferred_locales = given.preferred_locales;
  if (given.shipping !== undefined) customer.shipping = given.shipping && shippingOf(given.shipping);
  if (given.tax_exempt !== undefined) customer.tax_exempt = given.tax_exempt ?? 'none';
  const settings = given.invoice_settings;
  if (settings?.footer !== undefined) customer.invoice_settings.footer = settings.footer;
  if (settings?.default_payment_method !== undefined) {
    const id = settings.default_payment_method;
    const param = 'invoice_settings[default_payment_method]';
    customer.invoice_settings.default_payment_method =
      id === null ? null : usableMethod(world, id, customer.id, param).id;
  }
}

/** Gives a customer a coupon for all their invoices, or takes it away. */
function setCoupon(world: World, customer: Customer, coupon: string | null | undefined): void {
  if (coupon === undefined) return;
  const { discount: before } = customer;
  if (coupon === null) {
    customer.discount = null;
    if (before !== null) emit(world, 'customer.discount.deleted', before);
    return;
  }
  const redemption = redemptionOf(world, { coupon }, 'coupon');
  customer.discount = redeem(world, redemption, { customer, subscription: null });
  emit(world, `customer.discount.${before === null ? 'created' : 'updated'}`, customer.discount);
}

/** Stores a new customer and tells about it. */
export function createCustomer(world: World, given: Partial<Given> & { test_clock?: string | undefined }): Customer {
  if (given.test_clock !== undefined) world.need('test_helpers.test_clock', given.test_clock, 'test_clock');
  const clock = given.test_clock && world.store.get('test_helpers.test_clock', given.test_clock);
  const customer: Customer = {
    id: world.ids.make('cus_'),
    object: 'customer',
    address: null,
    balance: 0,
    created: clock ? clock.frozen_time : world.clock.now(),
    currency: null,
    customer_account: null,
    default_source: null,
    delinquent: false,
    description: null,
    discount: null,
    email: null,
    invoice_prefix: world.ids.random.token(8).toUpperCase(),
    invoice_settings: { custom_fields: null, default_payment_method: null, footer: null, rendering_options: null },
    livemode: false,
    metadata: mergeMetadata({}, given.metadata),
    name: null,
    next_invoice_sequence: 1,
    phone: null,
    preferred_locales: [],
    shipping: null,
    tax_exempt: 'none',
    test_clock: given.test_clock ?? null,
  };
  apply(world, customer, { ...EMPTY, ...given });
  world.store.insert('customer', customer);
  emit(world, 'customer.created', customer);
  setCoupon(world, customer, given.coupon);
  return customer;
}

const EMPTY = Object.fromEntries(Object.keys(customerFields).map((name) => [name, undefined])) as Given;

/** Deletes a customer: what they subscribe to ends at once. */
function deleteCustomer(world: World, customer: Customer): object {
  for (const subscription of [...world.store.all('subscription', { key: 'customer', value: customer.id })]) {
    if (subscription.status !== 'canceled' && subscription.status !== 'incomplete_expired') {
      cancelSubscription(world, subscription, { reason: 'cancellation_requested' });
    }
  }
  emit(world, 'customer.deleted', customer);
  return world.remove('customer', customer.id);
}

export const customerRoutes = [
  route(
    'POST',
    '/customers',
    { ...customerFields, payment_method: optional(text), tax_id_data: optional(ignored), test_clock: optional(text) },
    (world, params) => {
      const id = params.payment_method;
      const method = id === undefined ? undefined : checkMethod(world, id, null, 'payment_method');
      if (typeof params.coupon === 'string') redemptionOf(world, { coupon: params.coupon }, 'coupon');
      const customer = createCustomer(world, { ...params, invoice_settings: undefined });
      if (method !== undefined) giveMethod(world, method, customer);
      if (params.invoice_settings !== undefined) {
        apply(world, customer, { ...EMPTY, invoice_settings: params.invoice_settings });
      }
      return customer;
    },
  ),
  route(
    'GET',
    '/customers',
    { ...listShape, created: optional(range), email: optional(text), test_clock: optional(text) },
    (world, params) =>
      pageOf(world.store, 'customer', params, {
        url: '/v1/customers',
        by: params.email === undefined ? undefined : { key: 'email', value: params.email },
        keep: (customer) =>
          customer.test_clock === (params.test_clock ?? customer.test_clock) &&
          (params.created?.(customer.created) ?? true),
      }),
  ),
  route('GET', '/customers/:id', {}, (world, _params, id) => {
    const gone = world.store.get('deleted', id);
    return gone?.object === 'customer' ? gone : world.need('customer', id);
  }),
  route('POST', '/customers/:id', { ...customerFields, default_source: optional(ignored) }, (world, params, id) => {
    const customer = world.need('customer', id);
    const metadataAfter = mergeMetadata(customer.metadata, params.metadata);
    change(world, customer, 'customer.updated', () => {
      world.store.rekey('customer', customer, () => apply(world, customer, params));
      customer.metadata = metadataAfter;
      setCoupon(world, customer, params.coupon);
    });
    return customer;
  }),
  route('DELETE', '/customers/:id/discount', {}, (world, _params, id) => {
    const customer = world.need('customer', id);
    const { discount } = customer;
    if (discount === null) throw invalidRequest('No active discount for customer.', { code: 'resource_missing' });
    change(world, customer, 'customer.updated', () => setCoupon(world, customer, null));
    const { end: _end, ...rest } = discount;
    return { ...rest, deleted: true };
  }),
  route('DELETE', '/customers/:id', {}, (world, _params, id) => deleteCustomer(world, world.need('customer', id))),
];
