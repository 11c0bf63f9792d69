import type { Metadata } from './shared.ts';

/** A stretch of a schedule, with what is subscribed to in it. */
export interface SchedulePhase {
  add_invoice_items: {
    discountable: null;
    discounts: never[];
    metadata: Metadata;
    period: { end: { type: 'min_item_period_end' }; start: { type: 'phase_start' } };
    price: string;
    quantity: number;
    tax_rates: never[];
  }[];
  application_fee_percent: null;
  billing_cycle_anchor: 'automatic' | 'phase_start' | null;
  billing_thresholds: null;
  collection_method: 'charge_automatically' | 'send_invoice' | null;
  currency: string;
  default_payment_method: string | null;
  default_tax_rates: never[];
  description: string | null;
  discounts: { coupon: string | null; discount: string | null; promotion_code: string | null }[];
  end_date: number;
  invoice_settings: {
    account_tax_ids: null;
    custom_fields: null;
    days_until_due: number | null;
    description: null;
    footer: null;
    issuer: null;
  } | null;
  items: {
    billing_thresholds: null;
    discounts: never[];
    metadata: Metadata;
    plan: string;
    price: string;
    quantity: number;
    tax_rates: never[];
  }[];
  metadata: Metadata;
  on_behalf_of: null;
  proration_behavior: 'always_invoice' | 'create_prorations' | 'none';
  start_date: number;
  transfer_data: null;
  trial_end: number | null;
}

export interface SubscriptionSchedule {
  id: string;
  object: 'subscription_schedule';
  application: null;
  billing_mode: { flexible: { proration_discounts: 'included' }; type: 'flexible'; updated_at: number };
  canceled_at: number | null;
  completed_at: number | null;
  created: number;
  current_phase: { end_date: number; start_date: number } | null;
  customer: string;
  customer_account: null;
  default_settings: {
    application_fee_percent: null;
    billing_cycle_anchor: 'automatic' | 'phase_start';
    billing_thresholds: null;
    collection_method: 'charge_automatically' | 'send_invoice';
    default_payment_method: string | null;
    description: string | null;
    invoice_settings: {
      account_tax_ids: null;
      custom_fields: null;
      days_until_due: number | null;
      description: null;
      footer: null;
      issuer: { type: 'self' };
    };
    on_behalf_of: null;
    transfer_data: null;
  };
  end_behavior: 'cancel' | 'release';
  livemode: false;
  metadata: Metadata;
  pause_schedules: never[];
  phases: SchedulePhase[];
  released_at: number | null;
  released_subscription: string | null;
  status: 'active' | 'canceled' | 'completed' | 'not_started' | 'released';
  subscription: string | null;
  test_clock: string | null;
  $: {
    /** Whether its owner has been told that it is about to end. */
    told: boolean;
  };
}
