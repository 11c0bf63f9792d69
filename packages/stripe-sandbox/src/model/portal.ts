import type { Metadata } from './shared.ts';

export interface PortalFeatures {
  customer_update: { allowed_updates: string[]; enabled: boolean };
  invoice_history: { enabled: boolean };
  payment_method_update: { enabled: boolean; payment_method_configuration: null };
  subscription_cancel: {
    cancellation_reason: { enabled: boolean; feedback_options: null; options: string[] };
    enabled: boolean;
    mode: 'at_period_end' | 'immediately';
    proration_behavior: 'always_invoice' | 'create_prorations' | 'none';
  };
  subscription_pause: { duration: { interval_options: never[]; type: 'indefinite' }; enabled: boolean };
  subscription_update: {
    billing_cycle_anchor: 'now' | 'unchanged' | null;
    default_allowed_updates: string[];
    enabled: boolean;
    products: {
      adjustable_quantity: { enabled: boolean; maximum: number | null; minimum: number };
      prices: string[];
      product: string;
    }[];
    proration_behavior: 'always_invoice' | 'create_prorations' | 'none';
    schedule_at_period_end: { conditions: { type: string }[] };
    trial_update_behavior: 'continue_trial' | 'end_trial';
  };
}

export interface PortalConfiguration {
  id: string;
  object: 'billing_portal.configuration';
  active: boolean;
  application: null;
  business_profile: {
    headline: string | null;
    privacy_policy_url: string | null;
    terms_of_service_url: string | null;
  };
  created: number;
  default_return_url: string | null;
  features: PortalFeatures;
  is_default: boolean;
  livemode: false;
  login_page: { enabled: false; url: null };
  metadata: Metadata;
  name: string | null;
  updated: number;
}

export interface PortalSession {
  id: string;
  object: 'billing_portal.session';
  after_expiration: null;
  configuration: string;
  created: number;
  customer: string;
  customer_account: null;
  flow: { after_completion: unknown; type: string; [detail: string]: unknown } | null;
  livemode: false;
  locale: string | null;
  on_behalf_of: null;
  return_url: string | null;
  url: string;
  $: { secret: string };
}
