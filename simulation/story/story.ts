/** A story as data: who does what, and when. Everything in it follows from the seed, and every part can be left out. */
import { Random } from '../virtual/random.ts';

/** How often people do what, by what belongs together. */
const THEMES = {
  buying: { subscribe: 22, buy_once: 10 },
  changing: {
    change_plan: 8,
    change_quantity: 4,
    change_mind: 12,
    add_item: 3,
    remove_item: 2,
    discount: 2,
    end_discount: 1,
  },
  ending: { cancel_at_period_end: 5, cancel_at: 2, cancel_now: 3, take_back_cancellation: 3 },
  collection: { pause_collection: 2, resume_collection: 2, bad_card: 5, good_card: 6 },
  money_back: { refund: 5, refund_fails: 3, dispute: 4, close_dispute: 5 },
  granting: { grant: 5, deny: 2, revoke: 4 },
  rules: { change_mapping: 3, change_policy: 2, archive: 2 },
  by_hand: { delete_customer: 0.6, subscribe_by_hand: 3, link_by_hand: 2, sell_to_nobody: 2, attach: 3 },
  operating: { reconcile: 1, reconcile_a_little: 2, kill: 1 },
} as const;

type Theme = (typeof THEMES)[keyof typeof THEMES];
/** What people do. */
export type OperationKind = Theme extends infer Kinds ? (Kinds extends Theme ? keyof Kinds : never) : never;

/** How often people of one world do what: in each they have other things on their minds. */
function habitsOf(seed: string): Record<OperationKind, number> {
  const random = new Random(`${seed}/habits`);
  const habits: Partial<Record<OperationKind, number>> = {};
  for (const kinds of Object.values(THEMES)) {
    const more = random.pick([0.2, 1, 1, 5]);
    for (const [kind, often] of Object.entries(kinds)) habits[kind as OperationKind] = often * more;
  }
  return habits as Record<OperationKind, number>;
}

export interface Operation {
  /** Stays the same when others are left out. */
  id: number;
  at: number;
  kind: OperationKind;
  /** The number of the customer. */
  customer: number;
}

export interface Story {
  seed: string;
  startsAt: number;
  endsAt: number;
  projects: number;
  customers: number;
  pace: number;
  operations: readonly Operation[];
  /** Moments at which everything is left to come to rest, and everything is compared. */
  calms: readonly number[];
  /** Of all customers together, from their first appearance on. */
  customerMonths: number;
}

export interface Size {
  customers: number;
  months: number;
  projects: number;
  /** How much happens: 1 is about one thing a month for each customer. */
  pace: number;
}

const DAY = 24 * 3_600_000;
const MONTH = 30.4375 * DAY;

/** How much later somebody does another thing right away: some while the service still works at the one before. */
const HASTE_MS: readonly ((random: Random) => number)[] = [
  (random) => random.below(3) * 500,
  (random) => random.below(25_000),
];

export function makeStory(seed: string, size: Size): Story {
  const random = new Random(`${seed}/story`);
  const habits = habitsOf(seed);
  // Every time of the year: months have ends, and some years leap days.
  const startsAt = Date.UTC(2027, 0, 1) + random.below(400 * 24) * 3_600_000 + random.below(3_600) * 1_000;
  const endsAt = startsAt + size.months * MONTH;
  const operations: Operation[] = [];
  let customerMonths = 0;
  for (let customer = 0; customer < size.customers; customer += 1) {
    let at = startsAt + random.next() * Math.min(2 * MONTH, (endsAt - startsAt) / 3);
    customerMonths += (endsAt - at) / MONTH;
    // They come to buy something.
    add(at, random.chance(0.8) ? 'subscribe' : 'buy_once', customer);
    for (;;) {
      at += -Math.log(1 - random.next()) * (MONTH / size.pace);
      if (at >= endsAt) break;
      add(at, random.weighted(habits), customer);
      // Several things at once or in haste: two tabs, an impatient person, a colleague, a change of mind.
      while (random.chance(0.3)) add(at + random.pick(HASTE_MS)(random), random.weighted(habits), customer);
    }
  }
  operations.sort((a, b) => a.at - b.at || a.id - b.id);
  const calms: number[] = [];
  // Where little happens there is less to compare; where much does, a later event soon hides what an earlier one broke.
  const apart = MONTH * Math.min(2, Math.max(0.3, 1 / size.pace));
  for (let at = startsAt + 2.5 * apart; at < endsAt - MONTH / 2; at += (1.5 + random.next() * 2) * apart)
    calms.push(at);
  calms.push(endsAt);
  return {
    seed,
    startsAt,
    endsAt,
    projects: size.projects,
    customers: size.customers,
    pace: size.pace,
    operations,
    calms,
    customerMonths,
  };

  function add(at: number, kind: OperationKind, customer: number): void {
    operations.push({ id: operations.length + 1, at: Math.floor(at), kind, customer });
  }
}
