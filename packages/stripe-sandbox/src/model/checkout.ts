import type { Price } from './catalog.ts';
import type { Address, Metadata, Shipping } from './shared.ts';
import type { MissingPaymentMethod } from './subscriptions.ts';

export interface LineItem {
  id: string;
  object: 'item';
  adjustable_quantity: { enabled: boolean; maximum: number | null; minimum: number | null } | null;
  amount_discount: number;
  amount_subtotal: number;
  amount_tax: number;
  amount_total: number;
  currency: string;
  description: string;
  metadata: Metadata;
  price: Price;
  quantity: number;
}

export interface CheckoutSession {
  id: string;
  object: 'checkout.session';
  adaptive_pricing: { enabled: false };
  after_expiration: null;
  allow_promotion_codes: boolean | null;
  allowed_payment_method_types: string[] | null;
  amount_subtotal: number | null;
  amount_total: number | null;
  automatic_tax: { enabled: false; liability: null; provider: null; status: null };
  billing_address_collection: string | null;
  cancel_url: string | null;
  client_reference_id: string | null;
  client_secret: null;
  collected_information: null;
  consent: null;
  consent_collection: null;
  created: number;
  currency: string | null;
  currency_conversion: null;
  custom_fields: never[];
  custom_text: { after_submit: null; shipping_address: null; submit: null; terms_of_service_acceptance: null };
  customer: string | null;
  customer_account: null;
  customer_creation: 'always' | 'if_required' | null;
  customer_details: {
    address: Address | null;
    business_name: null;
    email: string | null;
    individual_name: null;
    name: string | null;
    phone: string | null;
    tax_exempt: 'none';
    tax_ids: never[];
  } | null;
  customer_email: string | null;
  discounts: { coupon: string | null; promotion_code: string | null }[];
  expires_at: number;
  integration_identifier: null;
  invoice: string | null;
  invoice_creation: {
    enabled: boolean;
    invoice_data: {
      account_tax_ids: null;
      custom_fields: null;
      description: null;
      footer: null;
      issuer: null;
      metadata: Metadata;
      rendering_options: null;
    };
  } | null;
  livemode: false;
  locale: string | null;
  managed_payments: { enabled: false };
  metadata: Metadata;
  mode: 'payment' | 'setup' | 'subscription';
  origin_context: null;
  payment_intent: string | null;
  payment_link: string | null;
  payment_method_collection: 'always' | 'if_required' | null;
  payment_method_configuration_details: null;
  payment_method_options: Record<string, never>;
  payment_method_types: string[];
  payment_status: 'no_payment_required' | 'paid' | 'unpaid';
  permissions: null;
  phone_number_collection: { enabled: boolean };
  recovered_from: null;
  saved_payment_method_options: null;
  setup_intent: string | null;
  shipping_address_collection: null;
  shipping_cost: null;
  shipping_options: never[];
  status: 'complete' | 'expired' | 'open';
  submit_type: string | null;
  subscription: string | null;
  success_url: string | null;
  total_details: { amount_discount: number; amount_shipping: number; amount_tax: number };
  ui_mode: 'hosted_page';
  url: string | null;
  wallet_options: null;
  $: {
    lines: LineItem[];
    /** What the subscription or payment is made with when somebody pays. */
    subscription: {
      metadata: Metadata;
      description: string | null;
      trialDays: number | null;
      trialEnd: number | null;
      missingPaymentMethod: MissingPaymentMethod;
      anchor: number | null;
      prorate: boolean;
    };
    payment: {
      metadata: Metadata;
      description: string | null;
      receiptEmail: string | null;
      setupFutureUsage: 'off_session' | 'on_session' | null;
      statementDescriptor: string | null;
      transferGroup: string | null;
      shipping: Shipping | null;
    };
    setup: { metadata: Metadata; description: string | null };
  };
}
