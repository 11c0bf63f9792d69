import { change, emit } from '../events.ts';
import type {
  AnchorConfig,
  Customer,
  Metadata,
  MissingPaymentMethod,
  Price,
  Subscription,
  SubscriptionItem,
} from '../model.ts';
import type { World } from '../world.ts';
import { activeDiscounts, type Redemption, redeem, setItemDiscounts } from './discounts.ts';
import { draftInvoice } from './draft-invoice.ts';
import { type Extra, extraLines, periodLines } from './invoice-lines.ts';
import type { CollectionOutcome } from './invoices.ts';
import { type ItemDraft, lastPeriodEnd, makeItem } from './items.ts';
import { addPeriods, boundaryAfter } from './periods.ts';
import { planNext, TRIAL_NOTICE_SECONDS } from './planning.ts';
import { resolveCancelAt } from './resolve-cancel-at.ts';
import { collect, finalize, methodFor } from './settlement.ts';

/** What is subscribed to, and how. */
export interface SubscriptionDraft {
  customer: Customer;
  items: ItemDraft[];
  /** Prices that are charged once, on the first invoice. */
  extras?: Extra[];
  metadata: Metadata;
  description: string | null;
  /** Unix seconds; null: no trial. */
  trialEnd: number | null;
  missingPaymentMethod: MissingPaymentMethod;
  /** When the billing cycle begins; before that the first period is a short one. Null: now, or at the trial's end. */
  anchor: number | null;
  /** The day that the anchor was worked out from. */
  anchorConfig?: AnchorConfig | null;
  /** Where the billing cycle begins when a trial ends. */
  trialAnchor?: 'now' | 'unchanged' | null;
  /** Whether a short first period is charged in part. */
  prorate: boolean;
  cancelAt?: number | 'max_period_end' | 'min_period_end' | null;
  cancelAtPeriodEnd?: boolean;
  collectionMethod?: 'charge_automatically' | 'send_invoice';
  daysUntilDue?: number | null;
  defaultPaymentMethod: string | null;
  redemptions: Redemption[];
  saveDefaultPaymentMethod?: 'off' | 'on_subscription';
  checkoutSession?: string | null;
  /** Whether the customer is there to pay. */
  onSession: boolean;
  /** Leaves the first invoice open, for the customer to pay. */
  payLater?: boolean;
}

function periodOf(
  draft: SubscriptionDraft,
  price: Price,
  start: number,
  anchor: number,
): { start: number; end: number } {
  if (draft.trialEnd !== null) return { start, end: draft.trialEnd };
  if (anchor > start) return { start, end: anchor };
  if (price.recurring === null) return { start, end: start };
  return { start, end: boundaryAfter(anchor, price.recurring, start) };
}

/** The part of a full period that a short first one is. */
function shareOf(item: SubscriptionItem): number {
  const { current_period_start: start, current_period_end: end, price } = item;
  if (price.recurring === null) return 1;
  return Math.min(1, (end - start) / (end - addPeriods(end, price.recurring, -1)));
}

function build(world: World, draft: SubscriptionDraft): Subscription {
  const { customer } = draft;
  const id = world.ids.make('sub_');
  const now = world.clock.now();
  const anchor = draft.anchor ?? draft.trialEnd ?? now;
  const items = draft.items.map((item) => makeItem(world, id, item, periodOf(draft, item.price, now, anchor)));
  const discounts = draft.redemptions.map((redemption) =>
    redeem(world, redemption, { customer, subscription: id, checkoutSession: draft.checkoutSession ?? null }),
  );
  return {
    id,
    object: 'subscription',
    application: null,
    application_fee_percent: null,
    automatic_tax: { disabled_reason: null, enabled: false, liability: null },
    billing_cycle_anchor: anchor,
    billing_cycle_anchor_config: draft.anchorConfig ?? null,
    billing_mode: { type: 'flexible', flexible: { proration_discounts: 'included' }, updated_at: now },
    billing_schedules: [],
    billing_thresholds: null,
    cancel_at: null,
    cancel_at_period_end: false,
    canceled_at: null,
    cancellation_details: { comment: null, feedback: null, feedback_option: null, reason: null },
    collection_method: draft.collectionMethod ?? 'charge_automatically',
    created: now,
    currency: items[0]?.price.currency ?? 'usd',
    customer: customer.id,
    customer_account: null,
    days_until_due: draft.daysUntilDue ?? null,
    default_payment_method: draft.defaultPaymentMethod,
    default_source: null,
    default_tax_rates: [],
    description: draft.description,
    discounts: discounts.map((discount) => discount.id),
    ended_at: null,
    invoice_settings: {
      account_tax_ids: null,
      custom_fields: null,
      description: null,
      footer: null,
      issuer: { type: 'self' },
    },
    items: { object: 'list', data: items, has_more: false, url: `/v1/subscription_items?subscription=${id}` },
    latest_invoice: null,
    livemode: false,
    managed_payments: { enabled: false },
    metadata: draft.metadata,
    next_pending_invoice_item_invoice: null,
    on_behalf_of: null,
    pause_collection: null,
    payment_settings: {
      payment_method_options: null,
      payment_method_types: null,
      save_default_payment_method: draft.saveDefaultPaymentMethod ?? 'off',
    },
    pending_invoice_item_interval: null,
    pending_setup_intent: null,
    pending_update: null,
    schedule: null,
    start_date: now,
    status: draft.trialEnd === null ? 'incomplete' : 'trialing',
    test_clock: customer.test_clock,
    transfer_data: null,
    trial_end: draft.trialEnd,
    trial_settings: {
      end_behavior: {
        billing_cycle_anchor: draft.trialAnchor ?? null,
        missing_payment_method: draft.missingPaymentMethod,
      },
    },
    trial_start: draft.trialEnd === null ? null : now,
    $: { trialNoticeFor: null },
  };
}

/**
 * Begins a subscription: makes it, its first invoice, and tries to collect that.
 *
 * @returns how the payment went; null when nothing was due, or it is left for later
 */
export function subscribe(
  world: World,
  draft: SubscriptionDraft,
): { subscription: Subscription; outcome: CollectionOutcome | null } {
  const { customer } = draft;
  const subscription = world.store.insert('subscription', build(world, draft));
  const sends = subscription.collection_method === 'send_invoice';
  if (sends && draft.trialEnd === null) subscription.status = 'active';
  if (draft.cancelAtPeriodEnd === true) {
    subscription.cancel_at_period_end = true;
    subscription.cancel_at = lastPeriodEnd(subscription);
  } else if (draft.cancelAt !== undefined && draft.cancelAt !== null) {
    subscription.cancel_at = resolveCancelAt(subscription, draft.cancelAt);
  }
  if (subscription.cancel_at !== null) subscription.canceled_at = world.clock.now();
  if (draft.trialEnd !== null && draft.trialEnd - TRIAL_NOTICE_SECONDS <= world.clock.now()) {
    subscription.$.trialNoticeFor = draft.trialEnd;
  }
  draft.items.forEach(({ redemptions }, index) => {
    const item = subscription.items.data[index];
    if (item !== undefined && redemptions !== undefined) setItemDiscounts(world, subscription, item, redemptions);
  });
  emit(world, 'customer.subscription.created', subscription);
  for (const id of subscription.discounts) emit(world, 'customer.discount.created', world.need('discount', id));
  // A trial shorter than the notice is announced at once.
  if (subscription.$.trialNoticeFor !== null) emit(world, 'customer.subscription.trial_will_end', subscription);
  const short = draft.anchor !== null && draft.trialEnd === null;
  const period = { start: world.clock.now(), end: lastPeriodEnd(subscription) };
  const invoice = draftInvoice(world, {
    customer,
    subscription,
    reason: 'subscription_create',
    currency: subscription.currency,
    lines: [
      ...periodLines(world, subscription.items.data, {
        subscription,
        trial: draft.trialEnd !== null,
        ...(short ? { share: (item) => (draft.prorate ? shareOf(item) : 0) } : {}),
      }),
      ...extraLines(draft.extras ?? [], period),
    ],
    discounts: activeDiscounts(world, subscription.discounts),
    period: { start: world.clock.now(), end: world.clock.now() },
  });
  finalize(world, invoice);
  planNext(world, subscription);
  if (invoice.status !== 'open' || sends || draft.payLater === true) return { subscription, outcome: null };
  const outcome = collect(world, invoice, methodFor(world, customer, subscription), draft.onSession);
  if (outcome.status === 'paid' && draft.saveDefaultPaymentMethod === 'on_subscription') {
    keepMethod(world, subscription, outcome.charge.payment_method);
  }
  return { subscription, outcome };
}

function keepMethod(world: World, subscription: Subscription, method: string): void {
  change(world, subscription, 'customer.subscription.updated', () => {
    subscription.default_payment_method = method;
  });
}
