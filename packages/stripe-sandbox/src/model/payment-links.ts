import type { LineItem } from './checkout.ts';
import type { Metadata } from './shared.ts';
import type { MissingPaymentMethod } from './subscriptions.ts';

/** An address at which everybody can buy the same things: each visit opens a checkout session. */
export interface PaymentLink {
  id: string;
  object: 'payment_link';
  active: boolean;
  after_completion:
    | { hosted_confirmation: { custom_message: string | null }; type: 'hosted_confirmation' }
    | { redirect: { url: string }; type: 'redirect' };
  allow_promotion_codes: boolean;
  application: null;
  application_fee_amount: null;
  application_fee_percent: null;
  automatic_tax: { enabled: false; liability: null };
  billing_address_collection: 'auto' | 'required';
  consent_collection: null;
  currency: string;
  custom_fields: never[];
  custom_text: { after_submit: null; shipping_address: null; submit: null; terms_of_service_acceptance: null };
  customer_creation: 'always' | 'if_required';
  inactive_message: string | null;
  invoice_creation: null;
  livemode: false;
  managed_payments: null;
  metadata: Metadata;
  on_behalf_of: null;
  optional_items: null;
  payment_intent_data: {
    capture_method: null;
    description: string | null;
    metadata: Metadata;
    setup_future_usage: 'off_session' | 'on_session' | null;
    statement_descriptor: string | null;
    statement_descriptor_suffix: null;
    transfer_group: null;
  } | null;
  payment_method_collection: 'always' | 'if_required';
  payment_method_options: null;
  payment_method_types: string[] | null;
  phone_number_collection: { enabled: boolean };
  restrictions: { completed_sessions: { count: number; limit: number } } | null;
  shipping_address_collection: null;
  shipping_options: never[];
  submit_type: 'auto' | 'book' | 'donate' | 'pay' | 'subscribe';
  subscription_data: {
    description: string | null;
    invoice_settings: {
      account_tax_ids: null;
      custom_fields: null;
      description: null;
      footer: null;
      issuer: { type: 'self' };
    };
    metadata: Metadata;
    trial_period_days: number | null;
    trial_settings: { end_behavior: { missing_payment_method: MissingPaymentMethod } } | null;
  } | null;
  tax_id_collection: { enabled: boolean; required: 'never' };
  transfer_data: null;
  url: string;
  $: { lines: LineItem[] };
}
