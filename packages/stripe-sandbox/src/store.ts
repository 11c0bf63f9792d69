import type { Changes } from './changes.ts';
import type { Kind, Kinds } from './model.ts';
import { type Key, Shelf } from './shelf.ts';

type Keys = { [K in Kind]?: Record<string, (object: Kinds[K]) => Key> };

/** What objects are looked up by besides their id. Only `rekey` may change them. */
const KEYS: Keys = {
  charge: { customer: (charge) => charge.customer, payment_intent: (charge) => charge.payment_intent },
  'checkout.session': {
    customer: (session) => session.customer,
    payment_intent: (session) => session.payment_intent,
    invoice: (session) => session.invoice,
    subscription: (session) => session.subscription,
  },
  customer: { email: (customer) => customer.email },
  customer_balance_transaction: { customer: (entry) => entry.customer },
  dispute: { charge: (dispute) => dispute.charge, payment_intent: (dispute) => dispute.payment_intent },
  'entitlements.active_entitlement': { customer: (entitlement) => entitlement.$.customer },
  invoice: {
    customer: (invoice) => invoice.customer,
    subscription: (invoice) => invoice.parent?.subscription_details.subscription,
  },
  invoice_payment: {
    invoice: (payment) => payment.invoice,
    payment_intent: (payment) => payment.payment.payment_intent,
  },
  invoiceitem: { customer: (item) => item.customer },
  payment_intent: { customer: (intent) => intent.customer },
  payment_method: { customer: (method) => method.customer },
  price: { product: (price) => price.product },
  product_feature: { product: (attached) => attached.$.product },
  refund: { charge: (refund) => refund.charge, payment_intent: (refund) => refund.payment_intent },
  setup_intent: { customer: (intent) => intent.customer },
  subscription: {
    customer: (subscription) => subscription.customer,
    item: (subscription) => subscription.items.data.map(({ id }) => id),
  },
  subscription_schedule: { customer: (schedule) => schedule.customer },
};

/** An index that a list may be taken from, such as the invoices of one customer. */
export interface By {
  key: string;
  value: string;
}

/** All objects, in memory. Objects are changed in place by those who got them from here. */
export class Store {
  /** Where it is noted what may have changed; null when nobody asks. */
  changes: Changes | null = null;
  #shelves = new Map<Kind, Shelf<{ id: string }>>();

  /** Stores a new object. */
  insert<K extends Kind>(kind: K, object: Kinds[K]): Kinds[K] {
    this.#shelf(kind).insert(object);
    this.changes?.add(kind, object);
    return object;
  }

  get<K extends Kind>(kind: K, id: string): Kinds[K] | undefined {
    const found = this.#shelf(kind).get(id);
    if (found !== undefined) this.changes?.touch(kind, found);
    return found;
  }

  delete(kind: Kind, id: string): void {
    const deleted = this.#shelf(kind).delete(id);
    if (deleted !== undefined) this.changes?.remove(kind, deleted);
  }

  /** Deletes the oldest objects of a kind for good: a cursor cannot name them any more. */
  forgetOldest(kind: Kind, count: number): void {
    for (const forgotten of this.#shelf(kind).forgetOldest(count)) this.changes?.remove(kind, forgotten);
  }

  /** Changes an object in a way that may change what it is looked up by, such as its customer. */
  rekey<K extends Kind, R>(kind: K, object: Kinds[K], change: () => R): R {
    this.changes?.add(kind, object);
    return this.#shelf(kind).rekey(object, change);
  }

  /** Notes that an object is changed, wherever it was got from. */
  touch({ object: kind, id }: { object: Kind; id: string }): void {
    const stored = this.changes === null ? undefined : this.#shelf(kind).get(id);
    if (stored !== undefined) this.changes?.add(kind, stored);
  }

  /** Runs something that changes nothing of what it gets from here. */
  reading<T>(run: () => T): T {
    return this.changes === null ? run() : this.changes.reading(run);
  }

  /** All objects of a kind, oldest first, to be read: one that is to be changed is got by its id. */
  all<K extends Kind>(kind: K): readonly Kinds[K][];
  /** Those with one key, oldest first. */
  all<K extends Kind>(kind: K, by: By | undefined): readonly Kinds[K][];
  all<K extends Kind>(kind: K, by?: By): readonly Kinds[K][] {
    const shelf = this.#shelf(kind);
    if (by === undefined) return shelf.order;
    const found = shelf.with(by.key, by.value);
    if (this.changes !== null) for (const object of found) this.changes.touch(kind, object);
    return found;
  }

  /** An object's place in the order of creation; also known for deleted ones. */
  position(kind: Kind, id: string): number | undefined {
    return this.#shelf(kind).position(id);
  }

  count(kind: Kind): number {
    return this.#shelf(kind).order.length;
  }

  /** How many objects there are of each kind. */
  counts(): Record<string, number> {
    const counts = [...this.#shelves].map(([kind, shelf]): [string, number] => [kind, shelf.order.length]);
    return Object.fromEntries(counts.filter(([, count]) => count > 0));
  }

  clear(): void {
    this.#shelves.clear();
    this.changes?.forget();
  }

  /** Everything as it stands, kind by kind, for the file that it is kept in. */
  dump(): [Kind, Kinds[Kind][]][] {
    return [...this.#shelves].map(([kind, shelf]) => [kind, [...shelf.order] as Kinds[Kind][]]);
  }

  /** Takes back what `dump` gave. */
  load(dump: Iterable<readonly [string, Iterable<unknown>]>): void {
    this.clear();
    for (const [kind, objects] of dump) {
      for (const object of objects) this.insert(kind as Kind, object as Kinds[Kind]);
    }
  }

  #shelf<K extends Kind>(kind: K): Shelf<Kinds[K]> {
    let shelf = this.#shelves.get(kind) as Shelf<Kinds[K]> | undefined;
    if (shelf === undefined) {
      shelf = new Shelf<Kinds[K]>((KEYS[kind] ?? {}) as Record<string, (object: Kinds[K]) => Key>);
      this.#shelves.set(kind, shelf as unknown as Shelf<{ id: string }>);
    }
    return shelf;
  }
}
