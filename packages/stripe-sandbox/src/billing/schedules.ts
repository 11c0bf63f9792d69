import { StripeError } from '../errors.ts';
import { change, emit } from '../events.ts';
import type { SchedulePhase, Subscription, SubscriptionSchedule } from '../model.ts';
import type { World } from '../world.ts';
import { cancelSubscription, hasEnded } from './cancellation.ts';
import type { ItemChange } from './change-items.ts';
import { type Redemption, redemptionOf } from './discounts.ts';
import type { Extra } from './invoice-lines.ts';
import { recurringPrice } from './items.ts';
import { subscribe } from './subscribe.ts';
import { updateSubscription } from './update-subscription.ts';

/** How long before a schedule's end its owner is told, in seconds. */
const EXPIRING_SECONDS = 7 * 86_400;

/** The phase that a moment lies in. */
function phaseAt(schedule: SubscriptionSchedule, time: number): SchedulePhase | undefined {
  return schedule.phases.find(({ start_date, end_date }) => start_date <= time && time < end_date);
}

function endOf(schedule: SubscriptionSchedule): number {
  return Math.max(...schedule.phases.map(({ end_date }) => end_date));
}

function subscriptionOf(world: World, schedule: SubscriptionSchedule): Subscription | undefined {
  return schedule.subscription === null ? undefined : world.store.get('subscription', schedule.subscription);
}

/** What has to change for a subscription to have a phase's items. */
function itemChanges(world: World, subscription: Subscription, phase: SchedulePhase): ItemChange[] {
  const left = [...subscription.items.data];
  const take = (fits: (price: string) => boolean) => {
    const index = left.findIndex(({ price }) => fits(price.id));
    return index < 0 ? undefined : left.splice(index, 1)[0];
  };
  const kept = phase.items.map((item) => ({ item, current: take((price) => price === item.price) }));
  const changes = kept.map(({ item, current }): ItemChange => {
    const price = recurringPrice(world, item.price, 'items');
    const replaced = current ?? take(() => true);
    return { id: replaced?.id, price, quantity: item.quantity, metadata: item.metadata };
  });
  return [...changes, ...left.map(({ id }) => ({ id, deleted: true }))];
}

/** What a phase charges once. */
function extrasOf(world: World, phase: SchedulePhase): Extra[] {
  return phase.add_invoice_items.map(({ price, quantity }) => ({ price: world.need('price', price), quantity }));
}

/** The discounts of a phase. One that is over by then is left out. */
function redemptionsOf(world: World, phase: SchedulePhase): Redemption[] {
  return phase.discounts.flatMap(({ coupon, discount, promotion_code }) => {
    const asked = {
      coupon: coupon ?? undefined,
      discount: discount ?? undefined,
      promotion_code: promotion_code ?? undefined,
    };
    try {
      return [redemptionOf(world, asked, 'discounts')];
    } catch (error) {
      if (error instanceof StripeError) return [];
      throw error;
    }
  });
}

function begin(world: World, schedule: SubscriptionSchedule, phase: SchedulePhase): void {
  const customer = world.need('customer', schedule.customer);
  const { default_settings: defaults } = schedule;
  const { subscription } = subscribe(world, {
    customer,
    items: phase.items.map((item) => ({
      price: recurringPrice(world, item.price, 'items'),
      quantity: item.quantity ?? null,
      metadata: { ...item.metadata },
    })),
    metadata: { ...phase.metadata },
    description: phase.description ?? defaults.description,
    trialEnd: phase.trial_end,
    missingPaymentMethod: 'create_invoice',
    extras: extrasOf(world, phase),
    anchor: null,
    prorate: phase.proration_behavior !== 'none',
    collectionMethod: phase.collection_method ?? defaults.collection_method,
    daysUntilDue: phase.invoice_settings?.days_until_due ?? defaults.invoice_settings.days_until_due,
    defaultPaymentMethod: phase.default_payment_method ?? defaults.default_payment_method,
    redemptions: redemptionsOf(world, phase),
    onSession: false,
  });
  change(world, subscription, 'customer.subscription.updated', () => {
    subscription.schedule = schedule.id;
  });
  schedule.subscription = subscription.id;
}

/** Lets go of a subscription: it goes on by itself. */
function unbind(world: World, subscription: Subscription | undefined): void {
  if (subscription === undefined || subscription.schedule === null) return;
  change(world, subscription, 'customer.subscription.updated', () => {
    subscription.schedule = null;
  });
}

function complete(world: World, schedule: SubscriptionSchedule): void {
  const subscription = subscriptionOf(world, schedule);
  unbind(world, subscription);
  if (schedule.end_behavior === 'cancel' && subscription !== undefined && !hasEnded(subscription)) {
    cancelSubscription(world, subscription, { reason: null });
  }
  schedule.status = 'completed';
  schedule.completed_at = world.clock.now();
  schedule.current_phase = null;
  emit(world, 'subscription_schedule.completed', schedule);
}

/** Brings the subscription in line with a phase, which begins now or was changed. */
export function enterPhase(world: World, schedule: SubscriptionSchedule, phase: SchedulePhase): void {
  const begins = phase.start_date !== schedule.current_phase?.start_date;
  const anchor = phase.billing_cycle_anchor ?? schedule.default_settings.billing_cycle_anchor;
  const startsAnew = begins && anchor === 'phase_start';
  schedule.status = 'active';
  schedule.current_phase = { start_date: phase.start_date, end_date: phase.end_date };
  const subscription = subscriptionOf(world, schedule);
  if (subscription === undefined) {
    begin(world, schedule, phase);
    return;
  }
  if (hasEnded(subscription)) return;
  updateSubscription(world, subscription, {
    items: itemChanges(world, subscription, phase),
    prorationBehavior: phase.proration_behavior,
    billingCycleAnchor: startsAnew ? 'now' : undefined,
    collectionMethod: phase.collection_method ?? undefined,
    daysUntilDue: phase.invoice_settings?.days_until_due ?? undefined,
    description: phase.description ?? undefined,
    extras: begins ? extrasOf(world, phase) : undefined,
    metadata: phase.metadata,
    defaultPaymentMethod: phase.default_payment_method ?? undefined,
    redemptions: begins ? redemptionsOf(world, phase) : undefined,
    trialEnd: phase.trial_end !== null && phase.trial_end > world.clock.now() ? phase.trial_end : undefined,
  });
}

/** Plans the next look at a schedule: its next phase, its notice or its end. */
export function planSchedule(world: World, schedule: SubscriptionSchedule): void {
  if (schedule.status !== 'active' && schedule.status !== 'not_started') return;
  const notice = schedule.$.told ? [] : [endOf(schedule) - EXPIRING_SECONDS];
  const turns = schedule.phases.flatMap(({ start_date, end_date }) => [start_date, end_date]);
  const moments = [...turns, ...notice].filter((moment) => moment > world.clock.now());
  if (moments.length === 0) return;
  world.remind({ at: Math.min(...moments), kind: 'subscription_schedule', id: schedule.id }, schedule.test_clock);
}

/** Does to a schedule what has fallen due. */
export function scheduleDue(world: World, id: string): void {
  const schedule = world.store.get('subscription_schedule', id);
  if (schedule === undefined || (schedule.status !== 'active' && schedule.status !== 'not_started')) return;
  const now = world.clock.now();
  if (endOf(schedule) <= now) {
    complete(world, schedule);
    return;
  }
  if (!schedule.$.told && endOf(schedule) - EXPIRING_SECONDS <= now && schedule.status === 'active') {
    schedule.$.told = true;
    emit(world, 'subscription_schedule.expiring', schedule);
  }
  const phase = phaseAt(schedule, now);
  if (phase !== undefined && phase.start_date !== schedule.current_phase?.start_date) {
    change(world, schedule, 'subscription_schedule.updated', () => enterPhase(world, schedule, phase));
  }
  planSchedule(world, schedule);
}

/** Cancels a schedule, and its subscription with it. */
export function cancelSchedule(world: World, schedule: SubscriptionSchedule): void {
  const subscription = subscriptionOf(world, schedule);
  unbind(world, subscription);
  if (subscription !== undefined && !hasEnded(subscription)) {
    cancelSubscription(world, subscription, { reason: 'cancellation_requested' });
  }
  schedule.status = 'canceled';
  schedule.canceled_at = world.clock.now();
  schedule.current_phase = null;
  emit(world, 'subscription_schedule.canceled', schedule);
}

/** Ends a schedule and lets its subscription go on as it is. */
export function releaseSchedule(world: World, schedule: SubscriptionSchedule): void {
  unbind(world, subscriptionOf(world, schedule));
  schedule.status = 'released';
  schedule.released_at = world.clock.now();
  schedule.released_subscription = schedule.subscription;
  schedule.subscription = null;
  schedule.current_phase = null;
  emit(world, 'subscription_schedule.released', schedule);
}
