import { discountsReader } from '../billing/discounts.ts';
import {
  clearable,
  currencyCode,
  flag,
  group,
  ignored,
  integer,
  list,
  metadata,
  oneOf,
  optional,
  type Reader,
  required,
  text,
  timeOr,
} from '../params.ts';
import { priceData } from './invoiceitems.ts';

export const prorationBehavior = optional(oneOf('always_invoice', 'create_prorations', 'none'));
export const paymentBehavior = optional(
  oneOf('allow_incomplete', 'default_incomplete', 'error_if_incomplete', 'pending_if_incomplete'),
);
export const trialSettings = optional(
  group({
    end_behavior: required(
      group({
        billing_cycle_anchor: optional(oneOf('now', 'unchanged')),
        missing_payment_method: optional(oneOf('cancel', 'create_invoice', 'pause')),
      }),
    ),
  }),
);
const anchorType = oneOf('now', 'unchanged');
const anchorGroup = group({ type: required(anchorType) });
/** Whether the billing cycle begins anew. Older versions of the API take the word itself. */
export const anchorBehavior: Reader<'now' | 'unchanged'> = (value, path) =>
  typeof value === 'string' ? anchorType(value, path) : anchorGroup(value, path).type;

/** Prices that are charged once, along with the next invoice. */
const addInvoiceItems = optional(
  list(
    group({
      discounts: optional(discountsReader),
      metadata: optional(metadata),
      price: optional(text),
      price_data: priceData,
      quantity: optional(integer),
    }),
  ),
);
const paymentSettings = optional(
  group({
    payment_method_options: optional(ignored),
    payment_method_types: optional(ignored),
    save_default_payment_method: optional(oneOf('off', 'on_subscription')),
  }),
);
const cancellationDetails = optional(
  group({
    comment: optional(clearable(text)),
    feedback: optional(
      clearable(
        oneOf(
          'customer_service',
          'low_quality',
          'missing_features',
          'other',
          'switched_service',
          'too_complex',
          'too_expensive',
          'unused',
        ),
      ),
    ),
  }),
);

export const itemFields = {
  discounts: optional(discountsReader),
  metadata: optional(metadata),
  price: optional(text),
  price_data: optional(
    group({
      currency: required(currencyCode),
      product: required(text),
      recurring: required(
        group({ interval: required(oneOf('day', 'week', 'month', 'year')), interval_count: optional(integer) }),
      ),
      tax_behavior: optional(ignored),
      unit_amount: optional(integer),
      unit_amount_decimal: optional(text),
    }),
  ),
  quantity: optional(integer),
  tax_rates: optional(ignored),
};

export const createFields = {
  add_invoice_items: addInvoiceItems,
  automatic_tax: optional(ignored),
  billing_cycle_anchor: optional(integer),
  billing_cycle_anchor_config: optional(
    group({
      day_of_month: required(integer),
      hour: optional(integer),
      minute: optional(integer),
      month: optional(integer),
      second: optional(integer),
    }),
  ),
  billing_mode: optional(ignored),
  cancel_at: optional(timeOr('max_period_end', 'min_period_end')),
  cancel_at_period_end: optional(flag),
  collection_method: optional(oneOf('charge_automatically', 'send_invoice')),
  currency: optional(text),
  customer: required(text),
  days_until_due: optional(integer),
  default_payment_method: optional(text),
  description: optional(text),
  discounts: optional(discountsReader),
  items: required(list(group(itemFields))),
  metadata: optional(metadata),
  off_session: optional(flag),
  payment_behavior: paymentBehavior,
  payment_settings: paymentSettings,
  proration_behavior: prorationBehavior,
  trial_end: optional(timeOr('now')),
  trial_from_plan: optional(flag),
  trial_period_days: optional(integer),
  trial_settings: trialSettings,
};

export const updateFields = {
  add_invoice_items: addInvoiceItems,
  automatic_tax: optional(ignored),
  billing_cycle_anchor: optional(anchorBehavior),
  cancel_at: optional(clearable(timeOr('max_period_end', 'min_period_end'))),
  cancel_at_period_end: optional(flag),
  cancellation_details: cancellationDetails,
  collection_method: optional(oneOf('charge_automatically', 'send_invoice')),
  days_until_due: optional(integer),
  default_payment_method: optional(clearable(text)),
  description: optional(clearable(text)),
  discounts: optional(discountsReader),
  items: optional(
    list(group({ ...itemFields, id: optional(text), deleted: optional(flag), clear_usage: optional(ignored) })),
  ),
  metadata: optional(metadata),
  off_session: optional(flag),
  pause_collection: optional(
    clearable(
      group({
        behavior: required(oneOf('keep_as_draft', 'mark_uncollectible', 'void')),
        resumes_at: optional(integer),
      }),
    ),
  ),
  payment_behavior: paymentBehavior,
  payment_settings: paymentSettings,
  proration_behavior: prorationBehavior,
  proration_date: optional(integer),
  trial_end: optional(timeOr('now')),
  trial_from_plan: optional(flag),
  trial_settings: trialSettings,
};

export const cancelFields = {
  cancellation_details: cancellationDetails,
  invoice_now: optional(flag),
  prorate: optional(flag),
};
