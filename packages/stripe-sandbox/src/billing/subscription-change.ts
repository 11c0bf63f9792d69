import { invalidRequest } from '../errors.ts';
import type { MissingPaymentMethod, Subscription } from '../model.ts';
import { type MetadataChange, mergeMetadata } from '../params.ts';
import type { World } from '../world.ts';
import { hasEnded } from './cancellation.ts';
import { checkItems, type ItemChange } from './change-items.ts';
import { type Redemption, setDiscounts } from './discounts.ts';
import type { Extra } from './invoice-lines.ts';

export type ProrationBehavior = 'always_invoice' | 'create_prorations' | 'none';

/** What becomes of a change whose payment does not go through at once. */
export type PaymentBehavior =
  | 'allow_incomplete'
  | 'default_incomplete'
  | 'error_if_incomplete'
  | 'pending_if_incomplete';

/** What is changed about a subscription; what is left out stays. */
export interface SubscriptionChange {
  items?: ItemChange[] | undefined;
  /** Prices that are charged once, on the next invoice. */
  extras?: Extra[] | undefined;
  paymentBehavior?: PaymentBehavior | undefined;
  prorationBehavior?: ProrationBehavior | undefined;
  prorationDate?: number | undefined;
  billingCycleAnchor?: 'now' | 'unchanged' | undefined;
  cancelAt?: number | 'max_period_end' | 'min_period_end' | null | undefined;
  cancelAtPeriodEnd?: boolean | undefined;
  cancellation?: { comment?: string | null | undefined; feedback?: string | null | undefined } | undefined;
  collectionMethod?: 'charge_automatically' | 'send_invoice' | undefined;
  daysUntilDue?: number | undefined;
  defaultPaymentMethod?: string | null | undefined;
  description?: string | null | undefined;
  metadata?: MetadataChange | undefined;
  pauseCollection?: Subscription['pause_collection'] | undefined;
  redemptions?: Redemption[] | undefined;
  saveDefaultPaymentMethod?: 'off' | 'on_subscription' | undefined;
  trialEnd?: number | 'now' | undefined;
  missingPaymentMethod?: MissingPaymentMethod | undefined;
  trialAnchor?: 'now' | 'unchanged' | undefined;
}

/** All that may be part of an update that waits for its payment. */
const MAY_WAIT = new Set<keyof SubscriptionChange>([
  'billingCycleAnchor',
  'extras',
  'items',
  'paymentBehavior',
  'prorationBehavior',
  'prorationDate',
  'trialEnd',
]);

function namesOf(wanted: SubscriptionChange): (keyof SubscriptionChange)[] {
  const names = Object.keys(wanted) as (keyof SubscriptionChange)[];
  return names.filter((name) => wanted[name] !== undefined);
}

function checkEnd(world: World, subscription: Subscription, { cancelAt, cancelAtPeriodEnd }: SubscriptionChange): void {
  if (cancelAt !== undefined && cancelAtPeriodEnd === true) {
    throw invalidRequest('You may only specify one of these parameters: cancel_at, cancel_at_period_end.');
  }
  if (typeof cancelAt === 'number' && cancelAt < world.clock.now()) {
    throw invalidRequest('The subscription cannot be canceled in the past.', { param: 'cancel_at' });
  }
  if (subscription.schedule !== null && (cancelAt !== undefined || cancelAtPeriodEnd !== undefined)) {
    throw invalidRequest(
      `The subscription is managed by the subscription schedule \`${subscription.schedule}\`, and updating any cancelation behavior directly is not allowed. Please update the schedule instead.`,
    );
  }
}

function checkProrationDate(subscription: Subscription, { prorationDate }: SubscriptionChange): void {
  if (prorationDate === undefined) return;
  const inside = subscription.items.data.some(
    (item) => item.current_period_start <= prorationDate && prorationDate <= item.current_period_end,
  );
  if (inside) return;
  throw invalidRequest('The proration date must be within the current billing period.', { param: 'proration_date' });
}

/**
 * Refuses what does not fit, before anything is touched.
 *
 * @throws StripeError when the subscription has ended, or the change does not fit it
 */
export function checkChange(world: World, subscription: Subscription, wanted: SubscriptionChange): void {
  const names = namesOf(wanted);
  const notes = ['cancellation', 'metadata', 'paymentBehavior'];
  if (hasEnded(subscription) && !names.every((name) => notes.includes(name))) {
    throw invalidRequest('A canceled subscription can only update its cancellation_details and metadata.');
  }
  if (wanted.paymentBehavior === 'pending_if_incomplete') {
    if (!names.every((name) => MAY_WAIT.has(name))) {
      throw invalidRequest(
        'When `payment_behavior` is `pending_if_incomplete`, only attributes that pending updates support can be passed.',
        { param: 'payment_behavior' },
      );
    }
    if (subscription.collection_method === 'send_invoice') {
      throw invalidRequest('Pending updates need a subscription that is charged automatically.', {
        param: 'payment_behavior',
      });
    }
  }
  const days = wanted.daysUntilDue ?? subscription.days_until_due;
  if (wanted.collectionMethod === 'send_invoice' && days === null) {
    throw invalidRequest('You must pass `days_until_due` when `collection_method` is `send_invoice`.', {
      param: 'days_until_due',
    });
  }
  checkEnd(world, subscription, wanted);
  checkProrationDate(subscription, wanted);
  mergeMetadata(subscription.metadata, wanted.metadata);
  checkItems(subscription, wanted.items ?? []);
}

/** Sets what bills nothing. */
export function applyFields(world: World, subscription: Subscription, wanted: SubscriptionChange): void {
  subscription.metadata = mergeMetadata(subscription.metadata, wanted.metadata);
  if (wanted.collectionMethod !== undefined) subscription.collection_method = wanted.collectionMethod;
  if (wanted.collectionMethod === 'charge_automatically') subscription.days_until_due = null;
  if (wanted.daysUntilDue !== undefined) subscription.days_until_due = wanted.daysUntilDue;
  if (wanted.defaultPaymentMethod !== undefined) subscription.default_payment_method = wanted.defaultPaymentMethod;
  if (wanted.description !== undefined) subscription.description = wanted.description;
  if (wanted.pauseCollection !== undefined) subscription.pause_collection = wanted.pauseCollection;
  if (wanted.saveDefaultPaymentMethod !== undefined) {
    subscription.payment_settings.save_default_payment_method = wanted.saveDefaultPaymentMethod;
  }
  const { end_behavior: trialEnd } = subscription.trial_settings;
  if (wanted.missingPaymentMethod !== undefined) trialEnd.missing_payment_method = wanted.missingPaymentMethod;
  if (wanted.trialAnchor !== undefined) trialEnd.billing_cycle_anchor = wanted.trialAnchor;
  if (wanted.redemptions !== undefined) {
    setDiscounts(world, subscription, wanted.redemptions);
  }
}
