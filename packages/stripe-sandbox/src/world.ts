import { Clock, type ClockOptions, machineSeconds } from './clock.ts';
import { type Deliver, HttpDelivery } from './delivery.ts';
import { missing } from './errors.ts';
import { KIND_OF_PREFIX } from './expand.ts';
import { FaultPlan } from './faults.ts';
import { IdempotencyKeys } from './idempotency.ts';
import { Ids, Random } from './ids.ts';
import type { Kind, Kinds, WebhookEndpoint } from './model.ts';
import { type Due, Schedule } from './schedule.ts';
import { Store } from './store.ts';
import type { Waits } from './waits.ts';
import { DELIVERY_DEFAULTS, type DeliverySettings, Webhooks } from './webhooks.ts';

/** How this Stripe account is set up: what one chooses in Stripe's dashboard. */
export interface AccountSettings {
  /** Seconds that a renewal's invoice stays a draft. Stripe waits an hour; 0 finalizes it at once. */
  renewalDraftSeconds: number;
  /** Days after a failed payment at which it is tried again. */
  retryAfterDays: number[];
  /** What becomes of a subscription when the last retry failed. */
  afterRetries: 'canceled' | 'past_due' | 'unpaid';
}

const ACCOUNT_DEFAULTS: AccountSettings = {
  renewalDraftSeconds: 0,
  retryAfterDays: [3, 5, 7],
  afterRetries: 'canceled',
};

/** What a world begins with. */
export interface WorldOptions {
  seed?: number | undefined;
  clock?: ClockOptions | undefined;
  account?: Partial<AccountSettings> | undefined;
  delivery?: Partial<DeliverySettings> | undefined;
  deliver?: Deliver | undefined;
}

/** A payment that the control API wants to fail, for one customer or for whoever pays next. */
export interface PlannedFailure {
  customer: string | null;
  declineCode: string;
}

/** Nouns in "No such …" that are not the kind itself. */
const NOUNS: Partial<Record<Kind, string>> = {
  'billing_portal.configuration': 'configuration',
  'checkout.session': 'checkout.session',
  invoiceitem: 'invoiceitem',
  payment_method: 'PaymentMethod',
  'test_helpers.test_clock': 'test clock',
};

/** Everything that one sandbox knows. Requests are carried out in it one after the other, without waiting inside. */
export class World {
  readonly store = new Store();
  readonly clock: Clock;
  readonly faults: FaultPlan;
  readonly idempotency: IdempotencyKeys;
  readonly ids: Ids;
  readonly webhooks: Webhooks;
  readonly account: AccountSettings;
  /** `acct_…`: the same as long as the sandbox's state is kept, another for another seed. */
  accountId: string;
  /** The endpoints that were given at the start; they do not show in the API. */
  fixedEndpoints: WebhookEndpoint[] = [];
  /** The API request that is being carried out, if any. */
  request: { id: string; idempotencyKey: string | null } | null = null;
  /** Where the hosted pages are, without a slash at the end. */
  baseUrl = '';
  plannedFailures: PlannedFailure[] = [];
  /** Called with every event, after it was recorded. */
  onEvent: (type: string, object: object) => void = () => {};
  /** Called after everything that may have changed something, so that it can be kept. */
  changed: () => void = () => {};
  /** Reminders on the sandbox's own time (under '') and on each test clock. */
  readonly #schedules = new Map<string, Schedule>();

  readonly #http: HttpDelivery;
  readonly #latency: Waits;

  constructor(options: WorldOptions) {
    const delivery = { ...DELIVERY_DEFAULTS, ...options.delivery };
    this.clock = new Clock(options.clock);
    const outside = () => this.clock.outside();
    this.faults = new FaultPlan(outside);
    this.idempotency = new IdempotencyKeys(outside);
    this.ids = new Ids(new Random(options.seed));
    // From a source of its own, so that the other ids of a seed stay what they are.
    this.accountId = `acct_1${new Random(this.ids.random.state[0]).token(15)}`;
    this.account = { ...ACCOUNT_DEFAULTS, ...options.account };
    this.#http = new HttpDelivery(delivery.timeoutMs);
    this.#latency = this.clock.waits();
    this.webhooks = new Webhooks({
      settings: delivery,
      faults: this.faults,
      endpoints: () => [...this.fixedEndpoints, ...this.store.all('webhook_endpoint')],
      waits: this.clock.waits(),
      deliver: options.deliver ?? this.#http.deliver,
      now: () => this.clock.now(),
      noted: (event) => this.store.touch(event),
      // What listens to HTTP has the machine's time, and refuses a signature that is old.
      signedAt: options.deliver === undefined ? machineSeconds : outside,
    });
  }

  /**
   * The object with an id.
   *
   * @param param the parameter that names it, or 'id' when the path does (which makes the error a 404)
   * @throws StripeError `resource_missing`
   */
  need<K extends Kind>(kind: K, id: string, param = 'id'): Kinds[K] {
    const found = this.store.get(kind, id);
    if (found === undefined) throw missing(NOUNS[kind] ?? kind, id, param);
    return found;
  }

  /** Any object by its id, deleted ones included. */
  find(id: string): object | undefined {
    const kind = KIND_OF_PREFIX[id.slice(0, id.lastIndexOf('_'))];
    const found = kind === undefined ? undefined : this.store.get(kind, id);
    // Coupons and products may have ids of one's own choice.
    return found ?? this.store.get('coupon', id) ?? this.store.get('product', id) ?? this.store.get('deleted', id);
  }

  /** Forgets an object and keeps a note that it was there. */
  remove(kind: Kind, id: string): Kinds['deleted'] {
    this.store.delete(kind, id);
    return this.store.insert('deleted', { id, object: kind, deleted: true });
  }

  /** Runs something in a customer's time: that of their test clock, when they are on one. */
  inTimeOf<T>(customerId: string | null, run: () => T): T {
    const clockId = customerId === null ? null : this.store.get('customer', customerId)?.test_clock;
    const testClock = clockId ? this.store.get('test_helpers.test_clock', clockId) : undefined;
    return testClock === undefined ? run() : this.clock.at(testClock.frozen_time, run);
  }

  /** Resolves after so many milliseconds of this world's time. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.#latency.after(ms, resolve));
  }

  /** The customer that an object belongs to; null when it is nobody's. */
  customerOf(id: string): string | null {
    const found = this.find(id) as { customer?: string | null; charge?: string | null } | undefined;
    if (found === undefined) return null;
    if (this.store.get('customer', id) !== undefined) return id;
    if (typeof found.customer === 'string') return found.customer;
    // Disputes only say which charge they are about.
    return typeof found.charge === 'string' ? (this.store.get('charge', found.charge)?.customer ?? null) : null;
  }

  /** Reminds of an object at a time, on a test clock or on the sandbox's own time. */
  remind(due: Due, testClock: string | null): void {
    this.scheduleOf(testClock).add(due);
    this.store.changes?.note({ reminder: due, clock: testClock });
  }

  /** Takes the soonest reminder that is due by a time, if there is one. */
  takeDue(testClock: string | null, time: number): Due | undefined {
    const taken = this.scheduleOf(testClock).take(time);
    if (taken !== undefined) this.store.changes?.note({ taken, clock: testClock });
    return taken;
  }

  scheduleOf(testClock: string | null): Schedule {
    const key = testClock ?? '';
    let schedule = this.#schedules.get(key);
    if (schedule === undefined) {
      schedule = new Schedule();
      this.#schedules.set(key, schedule);
    }
    return schedule;
  }

  /** What is planned, by test clock (under '' on the sandbox's own time). */
  schedules(): ReadonlyMap<string, Schedule> {
    return this.#schedules;
  }

  /** Empties the sandbox. Endpoints given at the start stay; faults and the clock go back to the beginning. */
  reset(): void {
    this.store.clear();
    this.#schedules.clear();
    this.webhooks.forget();
    this.idempotency.clear();
    this.faults.reset();
    this.plannedFailures = [];
    this.clock.reset();
    this.changed();
  }

  /** Stops deliveries and whatever else waits. */
  close(): void {
    this.webhooks.close();
    this.#http.close();
    this.#latency.clear();
  }
}
