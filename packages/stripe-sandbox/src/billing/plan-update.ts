import type { Subscription, SubscriptionItem } from '../model.ts';
import type { World } from '../world.ts';
import { cycleAnchor } from './anchor.ts';
import { changeItems, changesInterval } from './change-items.ts';
import { lastPeriodEnd } from './items.ts';
import { addPeriods, boundaryAfter } from './periods.ts';
import { type Proration, prorationsOf, stateOf } from './prorate.ts';
import { resolveCancelAt } from './resolve-cancel-at.ts';
import type { SubscriptionChange } from './subscription-change.ts';

/** What a change would make of a subscription, and what it gives back and charges. */
export interface UpdatePlan {
  /** The subscription as it would be: its billing fields, on objects of their own. */
  tried: Subscription;
  prorations: { item: SubscriptionItem; part: Proration }[];
  /** A whole new period begins now, and is invoiced at once. */
  newPeriod: boolean;
  /** Whether the change makes an invoice at once. */
  invoices: boolean;
}

/** Begins a new billing cycle at a time for all items. */
export function beginCycle(subscription: Subscription, at: number): void {
  subscription.billing_cycle_anchor = at;
  for (const item of subscription.items.data) {
    item.current_period_start = at;
    if (item.price.recurring !== null) item.current_period_end = addPeriods(at, item.price.recurring, 1);
  }
  if (subscription.cancel_at_period_end) subscription.cancel_at = lastPeriodEnd(subscription);
}

/** Begins the paid time after a trial without moving the anchor: the first period is a short one. */
function joinCycle(subscription: Subscription, at: number): void {
  for (const item of subscription.items.data) {
    item.current_period_start = at;
    if (item.price.recurring === null) continue;
    item.current_period_end = boundaryAfter(cycleAnchor(subscription), item.price.recurring, at);
  }
}

function changeTrial(subscription: Subscription, end: number | 'now' | undefined, now: number): boolean {
  if (end === undefined) return false;
  if (end === 'now' || end <= now) {
    if (subscription.status !== 'trialing') return false;
    subscription.trial_end = now;
    subscription.status = 'active';
    return true;
  }
  subscription.trial_start = subscription.status === 'trialing' ? (subscription.trial_start ?? now) : now;
  subscription.trial_end = end;
  subscription.billing_cycle_anchor = end;
  if (subscription.status === 'active') {
    subscription.status = 'trialing';
    for (const item of subscription.items.data) item.current_period_start = now;
  }
  for (const item of subscription.items.data) item.current_period_end = end;
  if (subscription.cancel_at_period_end) subscription.cancel_at = end;
  return false;
}

/** Sets or clears the planned end. Setting one by date leaves `cancel_at_period_end` false, as flexible billing does. */
function planEnd(
  subscription: Subscription,
  { cancelAt, cancelAtPeriodEnd, cancellation }: SubscriptionChange,
  now: number,
) {
  const none = { comment: null, feedback: null, feedback_option: null, reason: null };
  if (cancelAtPeriodEnd !== undefined) {
    subscription.cancel_at_period_end = cancelAtPeriodEnd;
    subscription.cancel_at = cancelAtPeriodEnd ? lastPeriodEnd(subscription) : null;
  }
  if (cancelAt !== undefined) {
    subscription.cancel_at = cancelAt === null ? null : resolveCancelAt(subscription, cancelAt);
    subscription.cancel_at_period_end = false;
  }
  if (cancelAt !== undefined || cancelAtPeriodEnd !== undefined) {
    const planned = subscription.cancel_at !== null;
    subscription.canceled_at = planned ? (subscription.canceled_at ?? now) : null;
    subscription.cancellation_details = planned
      ? { ...subscription.cancellation_details, reason: 'cancellation_requested' }
      : none;
  }
  const { comment, feedback } = cancellation ?? {};
  if (comment !== undefined) subscription.cancellation_details.comment = comment;
  if (feedback !== undefined) subscription.cancellation_details.feedback = feedback;
}

/** A copy whose billing fields may be changed without touching the subscription. */
function copyOf(subscription: Subscription): Subscription {
  return {
    ...subscription,
    cancellation_details: { ...subscription.cancellation_details },
    items: { ...subscription.items, data: subscription.items.data.map((item) => ({ ...item })) },
  };
}

/** What is given back and charged: where a period is cut short all of its rest, otherwise what has changed. */
function prorations(
  world: World,
  before: Subscription,
  after: Subscription,
  options: { cutsShort: boolean; at: number },
): UpdatePlan['prorations'] {
  const { at } = options;
  const olds = new Map(before.items.data.map((item) => [item.id, item]));
  const news = new Map(after.items.data.map((item) => [item.id, item]));
  const both = [...olds.values(), ...[...news.values()].filter(({ id }) => !olds.has(id))];
  return both.flatMap((item) => {
    const [old, fresh] = [olds.get(item.id), news.get(item.id)];
    const states = {
      before: old === undefined ? null : stateOf(old),
      after: fresh === undefined || options.cutsShort ? null : stateOf(fresh),
    };
    const same =
      states.before?.price.id === states.after?.price.id && states.before?.quantity === states.after?.quantity;
    if (same) return [];
    const { recurring } = item.price;
    if (recurring === null) return [];
    const newEnd = item.current_period_end;
    const period =
      old === undefined
        ? { start: addPeriods(newEnd, recurring, -1), end: newEnd }
        : { start: old.current_period_start, end: old.current_period_end };
    return prorationsOf(world, before, item, period, states, at).map((part) => ({ item: fresh ?? item, part }));
  });
}

/**
 * What a change makes of a subscription. Nothing is touched: the same plan is shown by a preview, carried out by an
 * update, or kept until its payment goes through.
 */
export function planUpdate(world: World, subscription: Subscription, wanted: SubscriptionChange): UpdatePlan {
  const now = world.clock.now();
  const tried = copyOf(subscription);
  const behavior = wanted.prorationBehavior ?? 'create_prorations';
  const at = wanted.prorationDate ?? now;
  const inTrial = subscription.status === 'trialing';
  const trialOver = changeTrial(tried, wanted.trialEnd, now);
  const trialBegins = !inTrial && tried.status === 'trialing';
  changeItems(world, tried, wanted.items ?? [], at);
  const anew = tried.items.data.some((item) => {
    const old = subscription.items.data.find(({ id }) => id === item.id);
    return old !== undefined && changesInterval(old.price, item.price);
  });
  const restarts = wanted.billingCycleAnchor === 'now' || (anew && tried.status !== 'trialing');
  const newPeriod = trialOver || restarts;
  const list =
    behavior === 'none' || inTrial
      ? []
      : prorations(world, subscription, tried, { cutsShort: newPeriod || trialBegins, at });
  const keepsAnchor = subscription.trial_settings.end_behavior.billing_cycle_anchor === 'unchanged';
  if (trialOver && !restarts && keepsAnchor) joinCycle(tried, now);
  else if (newPeriod) beginCycle(tried, now);
  planEnd(tried, wanted, now);
  const invoices = newPeriod || (behavior === 'always_invoice' && list.length > 0);
  return { tried, prorations: list, newPeriod, invoices };
}
