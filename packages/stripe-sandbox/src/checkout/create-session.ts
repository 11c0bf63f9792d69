import { checkCodes } from '../billing/code-restrictions.ts';
import { redemptionOf } from '../billing/discounts.ts';
import type { CheckoutSession } from '../model.ts';
import { mergeMetadata, type Params } from '../params.ts';
import { shippingOf } from '../resources/addresses.ts';
import type { World } from '../world.ts';
import { priceLines } from './session-amounts.ts';
import { linesOf } from './session-lines.ts';
import type { sessionFields } from './session-params.ts';
import { checkSession, expiryOf } from './session-rules.ts';

/**
 * Makes a checkout session that can be paid until it expires.
 *
 * @throws StripeError when what is asked for does not go together
 */
export function createSession(world: World, given: Params<typeof sessionFields>): CheckoutSession {
  checkSession(world, given);
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
