import { cancelSchedule, enterPhase, planSchedule, releaseSchedule } from '../billing/schedules.ts';
import { invalidRequest } from '../errors.ts';
import { change, emit } from '../events.ts';
import { listShape, pageOf } from '../lists.ts';
import type { SubscriptionSchedule } from '../model.ts';
import {
  clearable,
  flag,
  group,
  ignored,
  integer,
  list,
  mergeMetadata,
  metadata,
  oneOf,
  optional,
  type Params,
  range,
  text,
  timeOr,
} from '../params.ts';
import { route } from '../routes.ts';
import type { World } from '../world.ts';
import { usableMethod } from './payment-methods.ts';
import { type GivenPhase, phaseFields, phasesOf, prorationBehavior } from './schedule-phases.ts';

const defaultSettings = optional(
  group({
    billing_cycle_anchor: optional(oneOf('automatic', 'phase_start')),
    collection_method: optional(oneOf('charge_automatically', 'send_invoice')),
    default_payment_method: optional(text),
    description: optional(clearable(text)),
    invoice_settings: optional(group({ days_until_due: optional(integer) })),
  }),
);

/** Sets what holds for phases that do not say otherwise. */
function applyDefaults(
  world: World,
  { customer, default_settings: settings }: SubscriptionSchedule,
  given: Params<typeof createFields>['default_settings'],
): void {
  if (given === undefined) return;
  settings.billing_cycle_anchor = given.billing_cycle_anchor ?? settings.billing_cycle_anchor;
  settings.collection_method = given.collection_method ?? settings.collection_method;
  if (given.description !== undefined) settings.description = given.description;
  const { default_payment_method: method } = given;
  if (method !== undefined) {
    const param = 'default_settings[default_payment_method]';
    settings.default_payment_method = usableMethod(world, method, customer, param).id;
  }
  const days = given.invoice_settings?.days_until_due;
  if (days !== undefined) settings.invoice_settings.days_until_due = days;
}

const endBehavior = optional(oneOf('cancel', 'release'));

function insert(
  world: World,
  given: Pick<
    SubscriptionSchedule,
    'customer' | 'end_behavior' | 'metadata' | 'phases' | 'subscription' | 'test_clock'
  >,
): SubscriptionSchedule {
  const now = world.clock.now();
  return world.store.insert('subscription_schedule', {
    id: world.ids.make('sub_sched_'),
    object: 'subscription_schedule',
    application: null,
    billing_mode: { flexible: { proration_discounts: 'included' }, type: 'flexible', updated_at: now },
    canceled_at: null,
    completed_at: null,
    created: now,
    current_phase: null,
    customer_account: null,
    default_settings: {
      application_fee_percent: null,
      billing_cycle_anchor: 'automatic',
      billing_thresholds: null,
      collection_method: 'charge_automatically',
      default_payment_method: null,
      description: null,
      invoice_settings: {
        account_tax_ids: null,
        custom_fields: null,
        days_until_due: null,
        description: null,
        footer: null,
        issuer: { type: 'self' },
      },
      on_behalf_of: null,
      transfer_data: null,
    },
    livemode: false,
    pause_schedules: [],
    released_at: null,
    released_subscription: null,
    status: 'not_started',
    ...given,
    $: { told: false },
  });
}

/** A schedule for a subscription that exists: what it is now, until the end of its period. */
function fromSubscription(world: World, id: string): SubscriptionSchedule {
  const subscription = world.need('subscription', id, 'from_subscription');
  if (subscription.schedule !== null) {
    throw invalidRequest('This subscription is already attached to a schedule.', { param: 'from_subscription' });
  }
  const items = subscription.items.data;
  const start = Math.min(...items.map((item) => item.current_period_start));
  const [phase] = phasesOf(
    world,
    [
      {
        ...(Object.fromEntries(Object.keys(phaseFields).map((name) => [name, undefined])) as unknown as GivenPhase),
        discounts: subscription.discounts.map((discount) => ({
          coupon: undefined,
          discount,
          promotion_code: undefined,
        })),
        end_date: Math.max(...items.map((item) => item.current_period_end)),
        items: items.map(({ price, quantity }) => ({
          discounts: undefined,
          metadata: undefined,
          price: price.id,
          quantity,
          tax_rates: undefined,
        })),
      },
    ],
    start,
  );
  const schedule = insert(world, {
    customer: subscription.customer,
    end_behavior: 'release',
    metadata: {},
    phases: phase === undefined ? [] : [phase],
    subscription: id,
    test_clock: subscription.test_clock,
  });
  schedule.status = 'active';
  schedule.current_phase = phase === undefined ? null : { end_date: phase.end_date, start_date: phase.start_date };
  emit(world, 'subscription_schedule.created', schedule);
  change(world, subscription, 'customer.subscription.updated', () => {
    subscription.schedule = schedule.id;
  });
  return schedule;
}

const createFields = {
  billing_mode: optional(ignored),
  customer: optional(text),
  default_settings: defaultSettings,
  end_behavior: endBehavior,
  from_subscription: optional(text),
  metadata: optional(metadata),
  phases: optional(list(group(phaseFields))),
  start_date: optional(timeOr('now')),
};

function create(world: World, given: Params<typeof createFields>): SubscriptionSchedule {
  if (given.from_subscription !== undefined) {
    const schedule = fromSubscription(world, given.from_subscription);
    planSchedule(world, schedule);
    return schedule;
  }
  if (given.customer === undefined || given.phases === undefined || given.start_date === undefined) {
    const param = given.customer === undefined ? 'customer' : given.phases === undefined ? 'phases' : 'start_date';
    throw invalidRequest(`Missing required param: ${param}.`, { code: 'parameter_missing', param });
  }
  const customer = world.need('customer', given.customer, 'customer');
  const now = world.clock.now();
  const start = given.start_date === 'now' ? now : given.start_date;
  const schedule = insert(world, {
    customer: customer.id,
    end_behavior: given.end_behavior ?? 'release',
    metadata: mergeMetadata({}, given.metadata),
    phases: phasesOf(world, given.phases, start),
    subscription: null,
    test_clock: customer.test_clock,
  });
  applyDefaults(world, schedule, given.default_settings);
  emit(world, 'subscription_schedule.created', schedule);
  const [first] = schedule.phases;
  if (first !== undefined && start <= now) {
    change(world, schedule, 'subscription_schedule.updated', () => enterPhase(world, schedule, first));
  }
  planSchedule(world, schedule);
  return schedule;
}

/** Carries something out for a schedule that has not ended, in the time of its customer. */
function within(world: World, id: string, what: string, run: (schedule: SubscriptionSchedule) => void) {
  const schedule = world.need('subscription_schedule', id);
  if (schedule.status !== 'active' && schedule.status !== 'not_started') {
    throw invalidRequest(
      `You cannot ${what} a subscription schedule that is currently in the \`${schedule.status}\` status.`,
    );
  }
  world.inTimeOf(schedule.customer, () => run(schedule));
  return schedule;
}

export const subscriptionScheduleRoutes = [
  route('POST', '/subscription_schedules', createFields, (world, params) => {
    const subscription = world.store.get('subscription', params.from_subscription ?? '');
    return world.inTimeOf(params.customer ?? subscription?.customer ?? null, () => create(world, params));
  }),
  route(
    'GET',
    '/subscription_schedules',
    { ...listShape, created: optional(range), customer: optional(text), scheduled: optional(flag) },
    (world, params) =>
      pageOf(world.store, 'subscription_schedule', params, {
        url: '/v1/subscription_schedules',
        by: params.customer === undefined ? undefined : { key: 'customer', value: params.customer },
        keep: (schedule) =>
          (params.scheduled !== true || schedule.status === 'not_started') &&
          (params.created?.(schedule.created) ?? true),
      }),
  ),
  route('GET', '/subscription_schedules/:id', {}, (world, _params, id) => world.need('subscription_schedule', id)),
  route(
    'POST',
    '/subscription_schedules/:id',
    {
      default_settings: defaultSettings,
      end_behavior: endBehavior,
      metadata: optional(metadata),
      phases: optional(list(group(phaseFields))),
      proration_behavior: prorationBehavior,
    },
    (world, params, id) =>
      within(world, id, 'update', (schedule) => {
        const metadataAfter = mergeMetadata(schedule.metadata, params.metadata);
        const from = params.phases?.[0]?.start_date;
        const start = typeof from === 'number' ? from : (schedule.phases[0]?.start_date ?? world.clock.now());
        const phases = params.phases === undefined ? schedule.phases : phasesOf(world, params.phases, start);
        change(world, schedule, 'subscription_schedule.updated', () => {
          schedule.metadata = metadataAfter;
          schedule.end_behavior = params.end_behavior ?? schedule.end_behavior;
          applyDefaults(world, schedule, params.default_settings);
          schedule.phases = phases;
          const now = world.clock.now();
          const current = phases.find(({ start_date, end_date }) => start_date <= now && now < end_date);
          if (params.phases !== undefined && current !== undefined) enterPhase(world, schedule, current);
        });
        planSchedule(world, schedule);
      }),
  ),
  route(
    'POST',
    '/subscription_schedules/:id/cancel',
    { invoice_now: optional(flag), prorate: optional(flag) },
    (world, _params, id) => within(world, id, 'cancel', (schedule) => cancelSchedule(world, schedule)),
  ),
  route('POST', '/subscription_schedules/:id/release', { preserve_cancel_date: optional(flag) }, (world, _params, id) =>
    within(world, id, 'release', (schedule) => releaseSchedule(world, schedule)),
  ),
];
