import { amountFor } from '../billing/amounts.ts';
import { checkCodes } from '../billing/code-restrictions.ts';
import { redemptionOf } from '../billing/discounts.ts';
import { invalidRequest } from '../errors.ts';
import type { CheckoutSession, LineItem } from '../model.ts';
import { mergeMetadata, type Params } from '../params.ts';
import { shippingOf } from '../resources/addresses.ts';
import { createPrice } from '../resources/prices.ts';
import type { World } from '../world.ts';
import { priceLines } from './session-amounts.ts';
import type { sessionFields } from './session-params.ts';

type Given = Params<typeof sessionFields>;
type Mode = Given['mode'] | undefined;
type GivenLine = NonNullable<Given['line_items']>[number];

const HOUR = 3600;
/** How many a customer may choose where the session does not say. */
const MOST_ADJUSTABLE = 99;
const DAY = 24 * HOUR;

function priceOf(world: World, line: GivenLine, index: number) {
  if (line.price !== undefined) return world.need('price', line.price, `line_items[${index}][price]`);
  const data = line.price_data;
  if (data === undefined) {
    throw invalidRequest('You must provide one of `price` or `price_data` for each line item.', {
      code: 'parameter_missing',
      param: `line_items[${index}][price]`,
    });
  }
  const price = createPrice(world, {
    active: undefined,
    billing_scheme: undefined,
    currency: data.currency,
    currency_options: undefined,
    lookup_key: undefined,
    metadata: undefined,
    nickname: undefined,
    product: data.product,
    product_data: data.product_data && {
      id: undefined,
      active: undefined,
      statement_descriptor: undefined,
      tax_details: undefined,
      name: data.product_data.name,
      metadata: data.product_data.metadata,
      tax_code: data.product_data.tax_code,
      unit_label: data.product_data.unit_label,
    },
    recurring: data.recurring && {
      ...data.recurring,
      meter: undefined,
      trial_period_days: undefined,
      usage_type: undefined,
    },
    tax_behavior: data.tax_behavior,
    tiers: undefined,
    tiers_mode: undefined,
    transfer_lookup_key: undefined,
    transform_quantity: undefined,
    unit_amount: data.unit_amount,
    unit_amount_decimal: data.unit_amount_decimal,
  });
  price.active = false;
  return price;
}

/** @throws StripeError when the quantity that one begins with lies outside of what may be chosen */
function adjustableOf(line: GivenLine, index: number, quantity: number): LineItem['adjustable_quantity'] {
  if (line.adjustable_quantity === undefined) return null;
  const { enabled, maximum = MOST_ADJUSTABLE, minimum = 0 } = line.adjustable_quantity;
  if (!enabled) return { enabled, maximum: null, minimum: null };
  if (quantity < minimum || quantity > maximum) {
    throw invalidRequest(`The quantity must be between ${minimum} and ${maximum}, as adjustable_quantity says.`, {
      param: `line_items[${index}][quantity]`,
    });
  }
  return { enabled, maximum, minimum };
}

function lineOf(world: World, line: GivenLine, index: number, mode: Mode): LineItem {
  const price = priceOf(world, line, index);
  const param = `line_items[${index}][price]`;
  if (line.price !== undefined && !price.active) {
    throw invalidRequest(`The price \`${price.id}\` is not available to be purchased because it is not active.`, {
      param,
    });
  }
  if (mode === 'payment' && price.recurring !== null) {
    throw invalidRequest(
      'You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or use only one-time prices.',
      { param },
    );
  }
  const metered = price.recurring?.usage_type === 'metered';
  if (line.quantity === undefined && !metered) {
    throw invalidRequest('Quantity is required. Add `quantity` to `line_items`.', {
      code: 'parameter_missing',
      param: `line_items[${index}][quantity]`,
    });
  }
  const quantity = line.quantity ?? 1;
  if (quantity < 1 || quantity > 999_999) {
    throw invalidRequest('The quantity must be between 1 and 999999.', { param: `line_items[${index}][quantity]` });
  }
  const subtotal = amountFor(price, quantity);
  return {
    id: world.ids.make('li_'),
    object: 'item',
    adjustable_quantity: adjustableOf(line, index, quantity),
    amount_discount: 0,
    amount_subtotal: subtotal,
    amount_tax: 0,
    amount_total: subtotal,
    currency: price.currency,
    description: world.store.get('product', price.product)?.name ?? price.id,
    metadata: mergeMetadata({}, line.metadata),
    price,
    quantity,
  };
}

/**
 * What is sold.
 *
 * @param given without a mode the prices decide whether it is a subscription
 */
export function linesOf(world: World, given: { line_items: Given['line_items']; mode: Mode }): LineItem[] {
  const lines = (given.line_items ?? []).map((line, index) => lineOf(world, line, index, given.mode));
  if (given.mode === 'setup') {
    if (lines.length > 0)
      throw invalidRequest('You can not pass `line_items` in `setup` mode.', { param: 'line_items' });
    return lines;
  }
  if (lines.length === 0) {
    throw invalidRequest('Missing required param: line_items.', { code: 'parameter_missing', param: 'line_items' });
  }
  if (new Set(lines.map(({ currency }) => currency)).size > 1) {
    throw invalidRequest('All prices on a Checkout session must use the same currency.', { param: 'line_items' });
  }
  if (given.mode === 'subscription' && lines.every(({ price }) => price.recurring === null)) {
    throw invalidRequest('You must provide at least one recurring price in `subscription` mode when using prices.', {
      param: 'line_items',
    });
  }
  return lines;
}

/** Refuses what does not go together. */
function check(world: World, given: Given): void {
  if (given.customer !== undefined && given.customer_email !== undefined) {
    throw invalidRequest('You may only specify one of these parameters: customer, customer_email.');
  }
  if (given.customer !== undefined) world.need('customer', given.customer, 'customer');
  if (given.mode !== 'subscription' && given.subscription_data !== undefined) {
    throw invalidRequest(`You can not pass \`subscription_data\` in \`${given.mode}\` mode.`, {
      param: 'subscription_data',
    });
  }
  if (given.mode !== 'payment' && given.payment_intent_data !== undefined) {
    throw invalidRequest(`You can not pass \`payment_intent_data\` in \`${given.mode}\` mode.`, {
      param: 'payment_intent_data',
    });
  }
  if (given.mode === 'subscription' && given.customer_creation !== undefined) {
    throw invalidRequest('`customer_creation` can only be used in `payment` and `setup` mode.', {
      param: 'customer_creation',
    });
  }
  if (given.success_url === undefined) {
    throw invalidRequest('Missing required param: success_url.', { code: 'parameter_missing', param: 'success_url' });
  }
  if (given.allow_promotion_codes !== undefined && given.discounts !== undefined) {
    throw invalidRequest('You may only specify one of these parameters: allow_promotion_codes, discounts.');
  }
  const { trial_end, trial_period_days } = given.subscription_data ?? {};
  if (trial_end !== undefined && trial_period_days !== undefined) {
    throw invalidRequest('You may only specify one of these parameters: trial_end, trial_period_days.');
  }
  if (trial_period_days !== undefined && (trial_period_days < 1 || trial_period_days > 730)) {
    throw invalidRequest('The trial must be between 1 and 730 days.', {
      param: 'subscription_data[trial_period_days]',
    });
  }
  if (trial_end !== undefined && trial_end < world.clock.now() + 2 * DAY) {
    throw invalidRequest('The `trial_end` date has to be at least 2 days in the future.', {
      param: 'subscription_data[trial_end]',
    });
  }
}

function expiryOf(world: World, given: Given): number {
  const now = world.clock.now();
  const at = given.expires_at ?? now + DAY;
  // Half a minute of leeway, for callers whose clock is not exactly this one.
  if (at < now + HOUR / 2 - 30 || at > now + DAY + 30) {
    throw invalidRequest(
      'The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation.',
      {
        param: 'expires_at',
      },
    );
  }
  return at;
}

/**
 * Makes a checkout session that can be paid until it expires.
 *
 * @throws StripeError when what is asked for does not go together
 */
export function createSession(world: World, given: Given): CheckoutSession {
  check(world, given);
  const lines = linesOf(world, given);
  const trial = given.subscription_data?.trial_end ?? given.subscription_data?.trial_period_days;
  const redemptions = (given.discounts ?? []).map((asked, index) => redemptionOf(world, asked, `discounts[${index}]`));
  checkCodes(world, redemptions, {
    customer: given.customer ?? null,
    amount: lines.reduce((sum, { amount_subtotal }) => sum + amount_subtotal, 0),
    currency: lines[0]?.currency ?? 'usd',
  });
  const coupons = redemptions.map(({ coupon }) => coupon);
  const { discount, subtotal } = priceLines(lines, coupons, trial !== undefined);
  const total = subtotal - discount;
  const id = world.ids.make('cs_test_');
  const subscription = given.subscription_data;
  const payment = given.payment_intent_data;
  const session = world.store.insert('checkout.session', {
    id,
    object: 'checkout.session',
    adaptive_pricing: { enabled: false },
    after_expiration: null,
    allow_promotion_codes: given.allow_promotion_codes ?? null,
    allowed_payment_method_types: given.allowed_payment_method_types ?? given.payment_method_types ?? null,
    amount_subtotal: given.mode === 'setup' ? null : subtotal,
    amount_total: given.mode === 'setup' ? null : total,
    automatic_tax: { enabled: false, liability: null, provider: null, status: null },
    billing_address_collection: given.billing_address_collection ?? null,
    cancel_url: given.cancel_url ?? null,
    client_reference_id: given.client_reference_id ?? null,
    client_secret: null,
    collected_information: null,
    consent: null,
    consent_collection: null,
    created: world.clock.now(),
    currency: lines[0]?.currency ?? given.currency ?? null,
    currency_conversion: null,
    custom_fields: [],
    custom_text: { after_submit: null, shipping_address: null, submit: null, terms_of_service_acceptance: null },
    customer: given.customer ?? null,
    customer_account: null,
    customer_creation: given.mode === 'subscription' ? 'always' : (given.customer_creation ?? 'if_required'),
    customer_details: null,
    customer_email: given.customer_email ?? null,
    discounts: (given.discounts ?? []).map((asked) => ({
      coupon: asked.coupon ?? null,
      promotion_code: asked.promotion_code ?? null,
    })),
    expires_at: expiryOf(world, given),
    integration_identifier: null,
    invoice: null,
    invoice_creation:
      given.mode !== 'payment'
        ? null
        : {
            enabled: given.invoice_creation?.enabled ?? false,
            invoice_data: {
              account_tax_ids: null,
              custom_fields: null,
              description: null,
              footer: null,
              issuer: null,
              metadata: {},
              rendering_options: null,
            },
          },
    livemode: false,
    locale: given.locale ?? null,
    managed_payments: { enabled: false },
    metadata: mergeMetadata({}, given.metadata),
    mode: given.mode,
    origin_context: null,
    payment_intent: null,
    payment_link: null,
    payment_method_collection: given.mode === 'payment' ? 'if_required' : (given.payment_method_collection ?? 'always'),
    payment_method_configuration_details: null,
    payment_method_options: {},
    payment_method_types: given.allowed_payment_method_types ?? given.payment_method_types ?? ['card', 'sepa_debit'],
    payment_status: given.mode === 'setup' || total === 0 ? 'no_payment_required' : 'unpaid',
    permissions: null,
    phone_number_collection: { enabled: false },
    recovered_from: null,
    saved_payment_method_options: null,
    setup_intent: null,
    shipping_address_collection: null,
    shipping_cost: null,
    shipping_options: [],
    status: 'open',
    submit_type: given.submit_type ?? null,
    subscription: null,
    success_url: given.success_url ?? null,
    total_details: { amount_discount: discount, amount_shipping: 0, amount_tax: 0 },
    ui_mode: 'hosted_page',
    url: `${world.baseUrl}/c/pay/${id}`,
    wallet_options: null,
    $: {
      lines,
      subscription: {
        metadata: mergeMetadata({}, subscription?.metadata),
        description: subscription?.description ?? null,
        trialDays: subscription?.trial_period_days ?? null,
        trialEnd: subscription?.trial_end ?? null,
        missingPaymentMethod: subscription?.trial_settings?.end_behavior.missing_payment_method ?? 'create_invoice',
        anchor: subscription?.billing_cycle_anchor ?? null,
        prorate: subscription?.proration_behavior !== 'none',
      },
      payment: {
        metadata: mergeMetadata({}, payment?.metadata),
        description: payment?.description ?? null,
        receiptEmail: payment?.receipt_email ?? null,
        setupFutureUsage: payment?.setup_future_usage ?? null,
        statementDescriptor: payment?.statement_descriptor ?? null,
        transferGroup: payment?.transfer_group ?? null,
        shipping: payment?.shipping === undefined ? null : shippingOf(payment.shipping),
      },
      setup: {
        metadata: mergeMetadata({}, given.setup_intent_data?.metadata),
        description: given.setup_intent_data?.description ?? null,
      },
    },
  });
  const testClock = given.customer === undefined ? null : world.need('customer', given.customer).test_clock;
  world.remind({ at: session.expires_at, kind: 'checkout.session', id }, testClock);
  return session;
}
