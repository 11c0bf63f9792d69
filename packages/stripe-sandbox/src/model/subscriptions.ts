import type { Plan, Price } from './catalog.ts';
import type { ListOf, Metadata } from './shared.ts';

export interface SubscriptionItem {
  id: string;
  object: 'subscription_item';
  billing_thresholds: null;
  created: number;
  current_period_end: number;
  current_period_start: number;
  current_trial: null;
  discounts: string[];
  metadata: Metadata;
  plan: Plan;
  price: Price;
  /** Absent on metered prices. */
  quantity?: number;
  subscription: string;
  tax_rates: never[];
}

export type SubscriptionStatus =
  | 'active'
  | 'canceled'
  | 'incomplete'
  | 'incomplete_expired'
  | 'past_due'
  | 'paused'
  | 'trialing'
  | 'unpaid';

export type MissingPaymentMethod = 'cancel' | 'create_invoice' | 'pause';

/** The day and time that a billing cycle begins at; what is null is as when the subscription began. */
export interface AnchorConfig {
  day_of_month: number;
  hour: number | null;
  minute: number | null;
  month: number | null;
  second: number | null;
}

/** What of a subscription an update that waits for its payment changes. */
export type BillingFields = Pick<
  Subscription,
  'billing_cycle_anchor' | 'cancel_at' | 'items' | 'status' | 'trial_end' | 'trial_start'
>;

/** An update that has yet to be paid for. */
export interface PendingUpdate {
  billing_cycle_anchor: number | null;
  cancel_at_period_end: null;
  discount: null;
  discounts: null;
  expires_at: number;
  metadata: null;
  subscription_items: SubscriptionItem[] | null;
  trial_end: number | null;
  trial_from_plan: null;
}

export interface Subscription {
  id: string;
  object: 'subscription';
  application: null;
  application_fee_percent: null;
  automatic_tax: { disabled_reason: null; enabled: false; liability: null };
  billing_cycle_anchor: number;
  billing_cycle_anchor_config: AnchorConfig | null;
  billing_mode: { type: 'flexible'; flexible: { proration_discounts: 'included' }; updated_at: number };
  billing_schedules: never[];
  billing_thresholds: null;
  cancel_at: number | null;
  cancel_at_period_end: boolean;
  canceled_at: number | null;
  cancellation_details: {
    comment: string | null;
    feedback: string | null;
    feedback_option: null;
    reason: string | null;
  };
  collection_method: 'charge_automatically' | 'send_invoice';
  created: number;
  currency: string;
  customer: string;
  customer_account: null;
  days_until_due: number | null;
  default_payment_method: string | null;
  default_source: null;
  default_tax_rates: never[];
  description: string | null;
  discounts: string[];
  ended_at: number | null;
  invoice_settings: {
    account_tax_ids: null;
    custom_fields: null;
    description: null;
    footer: null;
    issuer: { type: 'self' };
  };
  items: ListOf<SubscriptionItem>;
  latest_invoice: string | null;
  livemode: false;
  managed_payments: { enabled: false };
  metadata: Metadata;
  next_pending_invoice_item_invoice: null;
  on_behalf_of: null;
  pause_collection: { behavior: 'keep_as_draft' | 'mark_uncollectible' | 'void'; resumes_at: number | null } | null;
  payment_settings: {
    payment_method_options: null;
    payment_method_types: null;
    save_default_payment_method: 'off' | 'on_subscription';
  };
  pending_invoice_item_interval: null;
  pending_setup_intent: null;
  pending_update: PendingUpdate | null;
  schedule: string | null;
  start_date: number;
  status: SubscriptionStatus;
  test_clock: string | null;
  transfer_data: null;
  trial_end: number | null;
  trial_settings: {
    end_behavior: { billing_cycle_anchor: 'now' | 'unchanged' | null; missing_payment_method: MissingPaymentMethod };
  };
  trial_start: number | null;
  $: {
    /** The trial's end that `customer.subscription.trial_will_end` has been sent for. */
    trialNoticeFor: number | null;
    /** An update that counts as soon as an invoice is paid, and what it makes of the subscription. */
    pending?: { invoice: string; billing: BillingFields };
    /** The invoice that has to be settled before a paused subscription runs again, and until when. */
    resumption?: { invoice: string; expiresAt: number };
    /** It is paused, and nothing was given back for the time that was paid for. */
    pausedUncredited?: true;
  };
}
