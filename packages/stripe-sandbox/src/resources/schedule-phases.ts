import { discountsReader, redemptionOf } from '../billing/discounts.ts';
import { recurringPrice } from '../billing/items.ts';
import { addPeriods } from '../billing/periods.ts';
import { invalidRequest } from '../errors.ts';
import type { SchedulePhase } from '../model.ts';
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
  required,
  text,
  timeOr,
} from '../params.ts';
import type { World } from '../world.ts';

/** What becomes of a period that is cut short. */
export const prorationBehavior = optional(oneOf('always_invoice', 'create_prorations', 'none'));

/** The parameters of a phase. */
export const phaseFields = {
  add_invoice_items: optional(
    list(group({ price: required(text), quantity: optional(integer), tax_rates: optional(ignored) })),
  ),
  automatic_tax: optional(ignored),
  billing_cycle_anchor: optional(oneOf('automatic', 'phase_start')),
  collection_method: optional(oneOf('charge_automatically', 'send_invoice')),
  currency: optional(text),
  default_payment_method: optional(text),
  description: optional(clearable(text)),
  discounts: optional(discountsReader),
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

export type GivenPhase = Params<typeof phaseFields>;

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

/** The id of a price that is charged once. */
function oncePrice(world: World, id: string, param: string): string {
  const price = world.need('price', id, param);
  if (price.recurring === null) return id;
  throw invalidRequest(
    'The price specified is set to `type=recurring` but this field only accepts prices with `type=one_time`.',
    { param },
  );
}

/** The phases, each from where the one before it ends. */
export function phasesOf(world: World, given: readonly GivenPhase[], from: number): SchedulePhase[] {
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
      add_invoice_items: (phase.add_invoice_items ?? []).map((item, at) => ({
        discountable: null,
        discounts: [],
        metadata: {},
        period: { end: { type: 'min_item_period_end' }, start: { type: 'phase_start' } },
        price: oncePrice(world, item.price, `phases[${index}][add_invoice_items][${at}][price]`),
        quantity: item.quantity ?? 1,
        tax_rates: [],
      })),
      application_fee_percent: null,
      billing_cycle_anchor: phase.billing_cycle_anchor ?? null,
      billing_thresholds: null,
      collection_method: phase.collection_method ?? null,
      currency: prices[0]?.currency ?? 'usd',
      default_payment_method: phase.default_payment_method ?? null,
      default_tax_rates: [],
      description: phase.description ?? null,
      discounts: (phase.discounts ?? []).map((asked, at) => {
        redemptionOf(world, asked, `phases[${index}][discounts][${at}]`);
        const { coupon = null, promotion_code = null, discount = null } = asked;
        return { coupon, discount, promotion_code };
      }),
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
