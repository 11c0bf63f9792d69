/** Stripe's objects as API version 2026-10-28.endive shows them, for tests of the mirror. Times are in seconds. */
import type { Json } from './mirror-stripe.ts';

/** 2026-11-01T00:00:00Z. */
export const START = 1_793_491_200;
export const DAY = 86_400;

export function customer(id: string, fields: Json = {}): Json {
  return {
    id,
    object: 'customer',
    address: null,
    balance: 0,
    created: START,
    currency: null,
    default_source: null,
    delinquent: false,
    description: null,
    email: null,
    invoice_settings: { custom_fields: null, default_payment_method: null, footer: null, rendering_options: null },
    livemode: false,
    metadata: {},
    name: null,
    phone: null,
    shipping: null,
    ...fields,
  };
}

export function product(id: string, fields: Json = {}): Json {
  return {
    id,
    object: 'product',
    active: true,
    created: START,
    default_price: null,
    description: null,
    images: [],
    livemode: false,
    metadata: {},
    name: 'Pro',
    updated: START,
    ...fields,
  };
}

export function price(id: string, productId: string, fields: Json = {}): Json {
  return {
    id,
    object: 'price',
    active: true,
    billing_scheme: 'per_unit',
    created: START,
    currency: 'eur',
    custom_unit_amount: null,
    livemode: false,
    lookup_key: null,
    metadata: {},
    nickname: null,
    product: productId,
    recurring: { interval: 'month', interval_count: 1, meter: null, trial_period_days: null, usage_type: 'licensed' },
    tax_behavior: 'unspecified',
    tiers_mode: null,
    transform_quantity: null,
    type: 'recurring',
    unit_amount: 1000,
    unit_amount_decimal: '1000',
    ...fields,
  };
}

export function item(id: string, priceObject: Json, fields: Json = {}): Json {
  return {
    id,
    object: 'subscription_item',
    billing_thresholds: null,
    created: START,
    current_period_end: START + 30 * DAY,
    current_period_start: START,
    discounts: [],
    metadata: {},
    price: priceObject,
    quantity: 1,
    tax_rates: [],
    ...fields,
  };
}

export function subscription(id: string, customerId: string, items: Json[], fields: Json = {}): Json {
  return {
    id,
    object: 'subscription',
    automatic_tax: { disabled_reason: null, enabled: false, liability: null },
    billing_cycle_anchor: START,
    billing_mode: { flexible: null, type: 'flexible' },
    cancel_at: null,
    cancel_at_period_end: false,
    canceled_at: null,
    collection_method: 'charge_automatically',
    created: START,
    currency: 'eur',
    customer: customerId,
    days_until_due: null,
    default_payment_method: null,
    default_source: null,
    discounts: [],
    ended_at: null,
    items: { object: 'list', data: items, has_more: false, total_count: items.length, url: '/v1/subscription_items' },
    latest_invoice: null,
    livemode: false,
    metadata: {},
    pause_collection: null,
    pending_update: null,
    schedule: null,
    start_date: START,
    status: 'active',
    trial_end: null,
    trial_settings: { end_behavior: { missing_payment_method: 'create_invoice' } },
    trial_start: null,
    ...fields,
  };
}

export function discount(id: string, coupon: Json, fields: Json = {}): Json {
  return { id, object: 'discount', end: null, source: { coupon, type: 'coupon' }, start: START, ...fields };
}

export function coupon(id: string, fields: Json = {}): Json {
  return {
    id,
    object: 'coupon',
    amount_off: null,
    created: START,
    currency: null,
    duration: 'forever',
    duration_in_months: null,
    percent_off: 25,
    valid: true,
    ...fields,
  };
}

export function invoice(id: string, subscriptionId: string | null, fields: Json = {}): Json {
  return {
    id,
    object: 'invoice',
    amount_paid: 5000,
    created: START,
    currency: 'eur',
    due_date: null,
    lines: { object: 'list', data: [], has_more: false, total_count: 0, url: `/v1/invoices/${id}/lines` },
    livemode: false,
    metadata: {},
    parent:
      subscriptionId === null
        ? null
        : { type: 'subscription_details', subscription_details: { metadata: {}, subscription: subscriptionId } },
    status: 'open',
    status_transitions: { finalized_at: START, marked_uncollectible_at: null, paid_at: null, voided_at: null },
    // Not a member of Stripe's: what its list filters by.
    subscription: subscriptionId,
    ...fields,
  };
}

export function invoicePayment(id: string, invoiceId: string, paymentIntent: string): Json {
  return {
    id,
    object: 'invoice_payment',
    amount_paid: 5000,
    amount_requested: 5000,
    created: START,
    currency: 'eur',
    invoice: invoiceId,
    is_default: true,
    payment: { payment_intent: paymentIntent, type: 'payment_intent' },
    status: 'paid',
    status_transitions: { canceled_at: null, paid_at: START + 60 },
  };
}

export function session(id: string, fields: Json = {}): Json {
  return {
    id,
    object: 'checkout.session',
    amount_total: 5000,
    client_reference_id: null,
    created: START,
    currency: 'eur',
    customer: null,
    expires_at: START + DAY,
    livemode: false,
    metadata: {},
    mode: 'payment',
    payment_intent: null,
    payment_status: 'paid',
    status: 'complete',
    subscription: null,
    url: null,
    // Not a member of Stripe's: what its line items answer.
    line_items_all: [],
    ...fields,
  };
}

export function lineItem(id: string, priceObject: Json, fields: Json = {}): Json {
  return { id, object: 'item', amount_total: 5000, currency: 'eur', price: priceObject, quantity: 1, ...fields };
}

export function paymentIntent(id: string, fields: Json = {}): Json {
  return {
    id,
    object: 'payment_intent',
    amount: 5000,
    amount_received: 5000,
    created: START,
    currency: 'eur',
    customer: null,
    latest_charge: { id: `ch_${id}`, object: 'charge', created: START + 60, paid: true, status: 'succeeded' },
    livemode: false,
    metadata: {},
    status: 'succeeded',
    ...fields,
  };
}

export function refund(id: string, paymentIntentId: string, fields: Json = {}): Json {
  return {
    id,
    object: 'refund',
    amount: 5000,
    charge: `ch_${paymentIntentId}`,
    created: START + DAY,
    currency: 'eur',
    payment_intent: paymentIntentId,
    status: 'succeeded',
    ...fields,
  };
}

export function dispute(id: string, paymentIntentId: string, fields: Json = {}): Json {
  return {
    id,
    object: 'dispute',
    amount: 5000,
    balance_transactions: [{ id: 'txn_1', object: 'balance_transaction', created: START + 2 * DAY }],
    charge: `ch_${paymentIntentId}`,
    created: START + 2 * DAY,
    currency: 'eur',
    payment_intent: paymentIntentId,
    reason: 'fraudulent',
    status: 'needs_response',
    ...fields,
  };
}
