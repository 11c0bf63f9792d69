import { discountsReader } from '../billing/discounts.ts';
import {
  amount,
  currencyCode,
  decimal,
  flag,
  group,
  ignored,
  integer,
  list,
  metadata,
  oneOf,
  optional,
  required,
  text,
} from '../params.ts';
import { shippingReader } from '../resources/addresses.ts';

const setupFutureUsage = optional(oneOf('off_session', 'on_session'));

const priceData = group({
  currency: required(currencyCode),
  product: optional(text),
  product_data: optional(
    group({
      name: required(text),
      description: optional(text),
      images: optional(list(text)),
      metadata: optional(metadata),
      tax_code: optional(text),
      unit_label: optional(text),
    }),
  ),
  recurring: optional(
    group({ interval: required(oneOf('day', 'week', 'month', 'year')), interval_count: optional(integer) }),
  ),
  tax_behavior: optional(oneOf('exclusive', 'inclusive', 'unspecified')),
  unit_amount: optional(amount),
  unit_amount_decimal: optional(decimal),
});

const subscriptionData = group({
  billing_cycle_anchor: optional(integer),
  billing_mode: optional(ignored),
  default_tax_rates: optional(ignored),
  description: optional(text),
  invoice_settings: optional(ignored),
  metadata: optional(metadata),
  proration_behavior: optional(oneOf('create_prorations', 'none')),
  trial_end: optional(integer),
  trial_period_days: optional(integer),
  trial_settings: optional(
    group({
      end_behavior: required(group({ missing_payment_method: required(oneOf('cancel', 'create_invoice', 'pause')) })),
    }),
  ),
});

const paymentIntentData = group({
  capture_method: optional(oneOf('automatic', 'automatic_async')),
  description: optional(text),
  metadata: optional(metadata),
  receipt_email: optional(text),
  setup_future_usage: setupFutureUsage,
  shipping: optional(shippingReader),
  statement_descriptor: optional(text),
  statement_descriptor_suffix: optional(text),
  transfer_group: optional(text),
});

/** What a checkout session can be made with. */
export const sessionFields = {
  adaptive_pricing: optional(ignored),
  allow_promotion_codes: optional(flag),
  allowed_payment_method_types: optional(list(text)),
  /** Its older name, which clients without a version header still use. */
  payment_method_types: optional(list(text)),
  automatic_tax: optional(ignored),
  billing_address_collection: optional(oneOf('auto', 'required')),
  branding_settings: optional(ignored),
  cancel_url: optional(text),
  client_reference_id: optional(text),
  consent_collection: optional(ignored),
  currency: optional(text),
  custom_text: optional(ignored),
  customer: optional(text),
  customer_creation: optional(oneOf('always', 'if_required')),
  customer_email: optional(text),
  customer_update: optional(ignored),
  discounts: optional(discountsReader),
  expires_at: optional(integer),
  invoice_creation: optional(group({ enabled: required(flag), invoice_data: optional(ignored) })),
  line_items: optional(
    list(
      group({
        adjustable_quantity: optional(
          group({ enabled: required(flag), maximum: optional(integer), minimum: optional(integer) }),
        ),
        metadata: optional(metadata),
        price: optional(text),
        price_data: optional(priceData),
        quantity: optional(integer),
        tax_rates: optional(ignored),
      }),
    ),
  ),
  locale: optional(text),
  metadata: optional(metadata),
  mode: required(oneOf('payment', 'setup', 'subscription')),
  payment_intent_data: optional(paymentIntentData),
  payment_method_collection: optional(oneOf('always', 'if_required')),
  payment_method_configuration: optional(ignored),
  payment_method_options: optional(ignored),
  phone_number_collection: optional(ignored),
  saved_payment_method_options: optional(ignored),
  setup_intent_data: optional(group({ description: optional(text), metadata: optional(metadata) })),
  submit_type: optional(text),
  subscription_data: optional(subscriptionData),
  success_url: optional(text),
  tax_id_collection: optional(ignored),
  ui_mode: optional(oneOf('hosted_page', 'hosted')),
};
