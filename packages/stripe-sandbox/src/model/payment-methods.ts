import type { Address, Metadata } from './shared.ts';

export interface PaymentMethod {
  id: string;
  object: 'payment_method';
  allow_redisplay: 'always' | 'limited' | 'unspecified';
  billing_details: {
    address: Address;
    email: string | null;
    name: string | null;
    phone: string | null;
    tax_id: null;
  };
  card?: {
    brand: string;
    checks: { address_line1_check: null; address_postal_code_check: null; cvc_check: string };
    country: string;
    display_brand: string;
    exp_month: number;
    exp_year: number;
    fingerprint: string;
    funding: string;
    generated_from: null;
    last4: string;
    networks: { available: string[]; preferred: null };
    regulated_status: string;
    three_d_secure_usage: { supported: boolean };
    wallet: null;
  };
  sepa_debit?: {
    bank_code: string;
    branch_code: string;
    country: string;
    fingerprint: string;
    generated_from: { charge: null; setup_attempt: null };
    last4: string;
  };
  created: number;
  customer: string | null;
  customer_account: null;
  livemode: false;
  metadata: Metadata;
  type: 'card' | 'sepa_debit';
  $: {
    /** The test number, which decides how payments with it go. */
    number: string;
    /** Whether the customer has confirmed it with their bank. */
    authenticated: boolean;
  };
}

/** A customer's card in the older form, a "source". */
export interface Card {
  id: string;
  object: 'card';
  address_city: null;
  address_country: null;
  address_line1: null;
  address_line1_check: null;
  address_line2: null;
  address_state: null;
  address_zip: null;
  address_zip_check: null;
  brand: string;
  country: string | null;
  customer: string;
  cvc_check: string;
  dynamic_last4: null;
  exp_month: number;
  exp_year: number;
  fingerprint: string | null;
  funding: string;
  last4: string;
  metadata: Metadata;
  name: string | null;
  regulated_status: 'regulated' | 'unregulated';
  tokenization_method: null;
}
