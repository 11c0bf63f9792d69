/**
 * What the simulation knows beside the service: whose Stripe's customers are, what the rules and grants are, every state
 * that Stripe's objects were in, and which of those states the service must have heard of.
 */
import type { World } from '../../packages/stripe-sandbox/src/world.ts';
import type { StripeEvent } from '../engine/universe.ts';
import { type Amount, type Barred, combined, type Grant, given, holds } from './access.ts';
import { bars } from './money-back.ts';
import type { Rules } from './rules.ts';
import { type ObjectState, objectsOf, type PaymentState, type SourceState } from './stripe-state.ts';

export interface KnownGrant extends Grant {
  /** Null while nobody knows whether the service has it. */
  id: string | null;
  /** A revocation is on its way. */
  revoking: boolean;
}

interface History {
  customer: string;
  states: ObjectState[];
  texts: string[];
  /** The service must know this state, or a later one. */
  floor: number;
  /** The same, once nothing is under way any more. */
  heard: number;
}

/** What an answer may be: where `must` and `may` agree there is only one right one. */
export interface Bounds {
  must: boolean;
  may: boolean;
  /** The only right answer, when everything is known. */
  exact: (Amount & { entitled: boolean }) | null;
}

export interface Person {
  project: string;
  /** The app's own id. */
  customer: string;
}

const HANDLED =
  /^(?:customer\.subscription\.(?:created|updated|deleted|paused|resumed)|invoice\.(?:finalized|paid|payment_succeeded|payment_failed|payment_action_required|updated|voided|marked_uncollectible)|charge\.refunded|charge\.refund\.updated|refund\.|charge\.dispute\.|checkout\.session\.(?:completed|async_payment_succeeded|async_payment_failed))/;

export class Ledger {
  readonly #world: World;
  /** Rules by project, the present last; more than one while the service is still following a change. */
  readonly rules = new Map<string, Rules[]>();
  readonly grants = new Map<string, KnownGrant[]>();
  /** By Stripe customer. */
  readonly owners = new Map<string, Person>();
  /** Subscriptions of nobody's Stripe customers that an operator gave to somebody. */
  readonly #attached = new Map<string, { customer: string; person: Person }>();
  readonly #histories = new Map<string, History>();
  readonly #touched = new Set<string>();
  /** People, by key, to whom something happened since `everybodyWasSeen`. */
  readonly #moved = new Set<string>();
  /** Events that the service said it has. */
  readonly acknowledged = new Set<string>();
  /** Stripe customers, people and products of whom an event was lost since everything was last compared. */
  readonly #lostOf = new Set<string>();

  constructor(world: World) {
    this.#world = world;
  }

  /** An event was recorded at Stripe: whatever it is about may have changed. */
  happened(event: StripeEvent): void {
    const customer = this.#customerOf(event.data.object);
    if (customer === undefined) return;
    if (this.#touched.size === 0) queueMicrotask(() => this.#look());
    this.#touched.add(customer);
    for (const person of this.#peopleOf(customer)) this.happenedTo(person);
  }

  #customerOf(of: unknown): string | undefined {
    const object = of as { customer?: unknown; charge?: unknown; id?: unknown; object?: unknown };
    // A dispute names its charge alone.
    const charge = typeof object.charge === 'string' ? this.#world.store.get('charge', object.charge) : undefined;
    const customer = object.object === 'customer' ? object.id : (object.customer ?? charge?.customer);
    return typeof customer === 'string' ? customer : undefined;
  }

  /** Who pays with a Stripe customer, or was given something of it. */
  #peopleOf(customer: string): Person[] {
    const owner = this.owners.get(customer);
    const attached = [...this.#attached.values()].filter((given) => given.customer === customer);
    return [...(owner === undefined ? [] : [owner]), ...attached.map(({ person }) => person)];
  }

  /** What they may do could be another thing than when they were seen last, for other reasons than time alone. */
  happenedTo(person: Person): void {
    this.#moved.add(keyOf(person));
  }

  hasMoved(person: Person): boolean {
    return this.#moved.has(keyOf(person)) || this.#moved.has(person.project);
  }

  everybodyWasSeen(): void {
    this.#moved.clear();
  }

  lost(event: StripeEvent): void {
    const { object } = event.data;
    for (const key of this.#keysOf(this.#customerOf(object) ?? (object as { id?: string }).id ?? ''))
      this.#lostOf.add(key);
  }

  /** Whether an event was lost that could have told of an object, or of anything else of the same people's. */
  couldMiss(id: string): boolean {
    const { store } = this.#world;
    const object =
      store.get('subscription', id) ??
      store.get('payment_intent', id) ??
      store.get('invoice', id) ??
      store.get('checkout.session', id) ??
      store.get('customer', id);
    const customer = object === undefined ? id : (this.#customerOf(object) ?? id);
    return this.#keysOf(customer).some((key) => this.#lostOf.has(key));
  }

  #keysOf(id: string): string[] {
    return [id, ...this.#peopleOf(id).map(keyOf)];
  }

  acknowledgedEvent(event: StripeEvent): void {
    this.acknowledged.add(event.id);
    if (!HANDLED.test(event.type)) return;
    this.#look();
    for (const id of subjectsOf(event)) {
      const history = this.#histories.get(id);
      if (history !== undefined) history.heard = history.states.length - 1;
    }
  }

  /** Nothing is under way in the service: what it has heard of, it must know. */
  atRest(): void {
    this.#look();
    for (const history of this.#histories.values()) history.floor = Math.max(history.floor, history.heard);
    for (const [project, rules] of this.rules) this.rules.set(project, rules.slice(-1));
  }

  /** The service has compared everything: it must know the present. */
  reconciled(): void {
    for (const customer of this.owners.keys()) this.#touched.add(customer);
    for (const { customer } of this.#attached.values()) this.#touched.add(customer);
    this.#look();
    for (const history of this.#histories.values()) {
      history.heard = history.states.length - 1;
      history.floor = history.heard;
    }
    this.#lostOf.clear();
  }

  currentRules(project: string): Rules {
    return this.rules.get(project)?.at(-1) as Rules;
  }

  changeRules(project: string, change: (rules: Rules) => void): void {
    const changed = structuredClone(this.currentRules(project));
    change(changed);
    this.rules.get(project)?.push(changed);
    this.#moved.add(project);
  }

  grantsOf(person: Person): KnownGrant[] {
    const key = keyOf(person);
    const known = this.grants.get(key);
    if (known !== undefined) return known;
    const fresh: KnownGrant[] = [];
    this.grants.set(key, fresh);
    return fresh;
  }

  /** From now on the service may know that a subscription is theirs; it must, once everything is at rest. */
  attach(subscription: string, customer: string, person: Person): void {
    this.#attached.set(subscription, { customer, person });
    this.happenedTo(person);
    for (const [id, history] of this.#histories) {
      if (id === subscription || this.#subscriptionsPaidBy(history).includes(subscription)) history.floor = 0;
    }
  }

  detach(subscription: string): void {
    this.#attached.delete(subscription);
  }

  /** Stripe customers that are not theirs, for whom something was made that is. */
  payersFor(person: Person): string[] {
    const theirs = [...this.#attached.values()].filter((attached) => keyOf(attached.person) === keyOf(person));
    return theirs.map(({ customer }) => customer);
  }

  /** Whose a subscription is. */
  ownerOf({ id, customer }: { id: string; customer: string }): Person | undefined {
    return this.#attached.get(id)?.person ?? this.owners.get(customer);
  }

  /** What the service may answer at this moment. */
  bounds(person: Person, feature: string, at: number): Bounds {
    const grants = this.grantsOf(person);
    const histories = this.historiesOf(person);
    const { sources, payments } = sorted(histories.map(({ states, floor }) => states.slice(floor)));
    const rules = this.rules.get(person.project) ?? [];
    const sure = grants.filter(({ id }) => id !== null);
    const denies = (list: KnownGrant[]) =>
      list.some((grant) => grant.effect === 'deny' && grant.feature === feature && holds(grant, at));
    const allows = (list: KnownGrant[]) =>
      list.some((grant) => grant.effect === 'allow' && grant.feature === feature && holds(grant, at));
    let [must, may] = [true, false];
    for (const rule of rules) {
      if (rule.features[feature] === undefined) {
        must = false;
        continue;
      }
      const maybeBarred: Barred = (sub, item) =>
        payments.some((states) => states.some((payment) => bars(payment, sub, item, rule.policy, at)));
      const surelyBarred: Barred = (sub, item) =>
        payments.some((states) => states.every((payment) => bars(payment, sub, item, rule.policy, at)));
      const gives = (barred: Barred) => (state: SourceState) => given(state, rule, feature, at, barred).length > 0;
      const surely = sources.some((states) => states.every(gives(maybeBarred)));
      const maybe = sources.some((states) => states.some(gives(surelyBarred)));
      must &&= (surely || allows(sure.filter(({ revoking }) => !revoking))) && !denies(grants);
      may ||= (maybe || allows(grants)) && !denies(sure.filter(({ revoking }) => !revoking));
    }
    const certain =
      rules.length === 1 &&
      histories.every(({ states, floor }) => floor === states.length - 1) &&
      grants.every(({ id, revoking }) => id !== null && !revoking);
    return { must, may, exact: certain ? this.expected(person, feature, at) : null };
  }

  /** The right answer, if the service knows everything. */
  expected(person: Person, feature: string, at: number): Amount & { entitled: boolean } {
    const rules = this.currentRules(person.project);
    const type = rules.features[feature];
    const nothing = { entitled: false, value: null, unlimited: false };
    if (type === undefined) return nothing;
    const grants = this.grantsOf(person).filter((grant) => grant.feature === feature && holds(grant, at));
    if (grants.some(({ effect }) => effect === 'deny')) return nothing;
    const { sources, payments } = sorted(this.historiesOf(person).map(({ states }) => states.slice(-1)));
    const barred: Barred = (sub, item) => payments.flat().some((payment) => bars(payment, sub, item, rules.policy, at));
    const amounts = sources.flat().flatMap((state) => given(state, rules, feature, at, barred));
    return combined([...amounts, ...grants.map(({ value, unlimited }) => ({ value, unlimited }))], type);
  }

  historiesOf(person: Person): History[] {
    const owns = (owner: Person | undefined) => owner !== undefined && keyOf(owner) === keyOf(person);
    return [...this.#histories].flatMap(([id, history]) => {
      const { customer } = history;
      const ids = [id, ...this.#subscriptionsPaidBy(history)];
      return ids.some((of) => owns(this.ownerOf({ id: of, customer }))) ? [history] : [];
    });
  }

  #subscriptionsPaidBy({ states }: History): string[] {
    const [state] = states;
    return state?.kind === 'payment' ? state.lines.map(({ subscription }) => subscription) : [];
  }

  #look(): void {
    for (const customer of this.#touched) {
      for (const state of objectsOf(this.#world, customer)) {
        const text = JSON.stringify(state);
        const history = this.#histories.get(state.id);
        if (history === undefined) {
          // Nothing is known of it until it has been heard of.
          const none = unknownState(state);
          this.#histories.set(state.id, {
            customer,
            states: [none, state],
            texts: ['', text],
            floor: 0,
            heard: 0,
          });
        } else if (history.texts.at(-1) !== text) {
          history.states.push(state);
          history.texts.push(text);
        }
      }
    }
    this.#touched.clear();
  }
}

/** The state of an object that nobody has told of yet: it gives nothing, and bars nothing. */
function unknownState(state: ObjectState): ObjectState {
  if (state.kind === 'payment') return { ...state, refunded: 0, disputes: [] };
  return state.kind === 'subscription' ? { ...state, items: [], status: 'unknown' } : { ...state, paidAt: null };
}

/** What each object may be in the service's eyes: those that give access, and the payments that may bar it. */
function sorted(candidates: ObjectState[][]): { sources: SourceState[][]; payments: PaymentState[][] } {
  const sources = candidates.filter((states): states is SourceState[] => states[0]?.kind !== 'payment');
  const payments = candidates.filter((states): states is PaymentState[] => states[0]?.kind === 'payment');
  return { sources, payments };
}

function subjectsOf(event: StripeEvent): string[] {
  const object = event.data.object as unknown as Record<string, unknown>;
  const parent = object.parent as { subscription_details?: { subscription?: string } } | null | undefined;
  const ids = [object.id, object.payment_intent, object.subscription, parent?.subscription_details?.subscription];
  if (event.type.startsWith('invoice.')) return ids.slice(3).filter((id) => typeof id === 'string');
  if (event.type.startsWith('customer.subscription.')) return ids.slice(0, 1) as string[];
  return ids.filter((id) => typeof id === 'string');
}

export function keyOf({ project, customer }: Person): string {
  return `${project}/${customer}`;
}
