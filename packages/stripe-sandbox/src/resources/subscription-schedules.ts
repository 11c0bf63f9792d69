import { recurringPrice } from '../billing/items.ts';
import { addPeriods } from '../billing/periods.ts';
import { cancelSchedule, enterPhase, planSchedule, releaseSchedule } from '../billing/schedules.ts';
import { invalidRequest } from '../errors.ts';
import { change, emit } from '../events.ts';
import { listShape, pageOf } from '../lists.ts';
import type { SchedulePhase, SubscriptionSchedule } from '../model.ts';
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
  required,
  text,
  timeOr,
} from '../params.ts';
import { route } from '../routes.ts';
import type { World } from '../world.ts';

const endBehavior = optional(oneOf('cancel', 'release'));
const prorationBehavior = optional(oneOf('always_invoice', 'create_prorations', 'none'));

const phaseFields = {
  add_invoice_items: optional(ignored),
  automatic_tax: optional(ignored),
  billing_cycle_anchor: optional(oneOf('automatic', 'phase_start')),
  collection_method: optional(oneOf('charge_automatically', 'send_invoice')),
  currency: optional(text),
  default_payment_method: optional(text),
  description: optional(clearable(text)),
  discounts: optional(ignored),
  duration: optional(
    group({ interval: required(oneOf('day', 'week', 'month', 'year')), interval_count: optional(integer) }),
  ),
  end_date: optional(timeOr('now')),
  invoice_settings: optional(group({ days_until_due: optional(integer) })),
  items: required(
    list(
      group({
        discounts: optional(ignored),
        metadata: optional(metadata),
        price: required(text),
        quantity: optional(integer),
        tax_rates: optional(ignored),
      }),
    ),
  ),
  /** The older way to say how long a phase is: so many periods of its price. */
  iterations: optional(integer),
  metadata: optional(metadata),
  proration_behavior: prorationBehavior,
  start_date: optional(timeOr('now')),
  trial: optional(flag),
  trial_end: optional(timeOr('now')),
};

type GivenPhase = Params<typeof phaseFields>;

function phaseEnd(world: World, given: GivenPhase, start: number): number {
  if (given.end_date !== undefined) return given.end_date === 'now' ? world.clock.now() : given.end_date;
  const [first] = given.items;
  const price = first && recurringPrice(world, first.price, 'phases[items][price]');
  const period = given.duration
    ? { interval: given.duration.interval, interval_count: given.duration.interval_count ?? 1 }
    : price?.recurring;
  if (period === null || period === undefined) {
    throw invalidRequest('A phase needs at least one item.', { param: 'phases' });
  }
  const recurring = { meter: null, trial_period_days: null, usage_type: 'licensed' as const, ...period };
  return addPeriods(start, recurring, given.duration === undefined ? (given.iterations ?? 1) : 1);
}

/** The phases, each from where the one before it ends. */
function phasesOf(world: World, given: readonly GivenPhase[], from: number): SchedulePhase[] {
  let start = from;
  return given.map((phase, index) => {
    const prices = phase.items.map((item, at) =>
      recurringPrice(world, item.price, `phases[${index}][items][${at}][price]`),
    );
    const end = phaseEnd(world, phase, start);
    if (end <= start) {
      throw invalidRequest('A phase must end after it starts.', { param: `phases[${index}][end_date]` });
    }
    const trialEnd = phase.trial === true ? end : typeof phase.trial_end === 'number' ? phase.trial_end : null;
    const built: SchedulePhase = {
      add_invoice_items: [],
      application_fee_percent: null,
      billing_cycle_anchor: phase.billing_cycle_anchor ?? null,
      billing_thresholds: null,
      collection_method: phase.collection_method ?? null,
      currency: prices[0]?.currency ?? 'usd',
      default_payment_method: phase.default_payment_method ?? null,
      default_tax_rates: [],
      description: phase.description ?? null,
      discounts: [],
      end_date: end,
      invoice_settings:
        phase.invoice_settings === undefined
          ? null
          : {
              account_tax_ids: null,
              custom_fields: null,
              days_until_due: phase.invoice_settings.days_until_due ?? null,
              description: null,
              footer: null,
              issuer: null,
            },
      items: phase.items.map((item) => ({
        billing_thresholds: null,
        discounts: [],
        metadata: mergeMetadata({}, item.metadata),
        plan: item.price,
        price: item.price,
        quantity: item.quantity ?? 1,
        tax_rates: [],
      })),
      metadata: mergeMetadata({}, phase.metadata),
      on_behalf_of: null,
      proration_behavior: phase.proration_behavior ?? 'create_prorations',
      start_date: start,
      transfer_data: null,
      trial_end: trialEnd,
    };
    start = end;
    return built;
  });
}

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
  default_settings: optional(ignored),
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
        keep: (schedule) =>
          (params.customer === undefined || schedule.customer === params.customer) &&
          (params.scheduled !== true || schedule.status === 'not_started') &&
          (params.created?.(schedule.created) ?? true),
      }),
  ),
  route('GET', '/subscription_schedules/:id', {}, (world, _params, id) => world.need('subscription_schedule', id)),
  route(
    'POST',
    '/subscription_schedules/:id',
    {
      default_settings: optional(ignored),
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
