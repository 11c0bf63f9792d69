import type { Kind, Kinds } from './model.ts';

type Key = string | null | undefined;
type Keys = { [K in Kind]?: Record<string, (object: Kinds[K]) => Key> };

/** What objects are looked up by besides their id. A key must never change while its object is stored. */
const KEYS: Keys = {
  charge: { customer: (charge) => charge.customer, payment_intent: (charge) => charge.payment_intent },
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
  price: { product: (price) => price.product },
  product_feature: { product: (attached) => attached.$.product },
  refund: { charge: (refund) => refund.charge, payment_intent: (refund) => refund.payment_intent },
  setup_intent: { customer: (intent) => intent.customer },
  subscription: { customer: (subscription) => subscription.customer },
};

class Shelf<T extends { id: string }> {
  readonly byId = new Map<string, T>();
  /** Oldest first. */
  readonly order: T[] = [];
  /** Kept when an object is deleted, so that a cursor may still name it. */
  readonly position = new Map<string, number>();
  readonly lists = new Map<string, T[]>();
  readonly #keys: [string, (object: T) => Key][];
  #next = 1;

  constructor(keys: Record<string, (object: T) => Key>) {
    this.#keys = Object.entries(keys);
  }

  insert(object: T): void {
    this.byId.set(object.id, object);
    this.position.set(object.id, this.#next);
    this.#next += 1;
    this.order.push(object);
    for (const [name, key] of this.#keys) {
      const value = key(object);
      if (value === null || value === undefined) continue;
      const place = `${name}=${value}`;
      const list = this.lists.get(place);
      if (list === undefined) this.lists.set(place, [object]);
      else list.push(object);
    }
  }

  delete(id: string): void {
    const object = this.byId.get(id);
    if (object === undefined) return;
    this.byId.delete(id);
    const without = (list: T[]) => list.splice(list.indexOf(object), 1);
    without(this.order);
    for (const [name, key] of this.#keys) {
      const list = this.lists.get(`${name}=${key(object)}`);
      if (list !== undefined) without(list);
    }
  }
}

/** An index that a list may be taken from, such as the invoices of one customer. */
export interface By {
  key: string;
  value: string;
}

/** All objects, in memory. Objects are changed in place by those who got them from here. */
export class Store {
  #shelves = new Map<Kind, Shelf<{ id: string }>>();

  /** Stores a new object. */
  insert<K extends Kind>(kind: K, object: Kinds[K]): Kinds[K] {
    this.#shelf(kind).insert(object);
    return object;
  }

  get<K extends Kind>(kind: K, id: string): Kinds[K] | undefined {
    return this.#shelf(kind).byId.get(id);
  }

  delete(kind: Kind, id: string): void {
    this.#shelf(kind).delete(id);
  }

  /** Deletes the oldest object of a kind for good: a cursor cannot name it any more. */
  forgetOldest(kind: Kind): void {
    const shelf = this.#shelf(kind);
    const [oldest] = shelf.order;
    if (oldest === undefined) return;
    shelf.delete(oldest.id);
    shelf.position.delete(oldest.id);
  }

  /** All objects of a kind, or those with one key, oldest first. */
  all<K extends Kind>(kind: K, by?: By): readonly Kinds[K][] {
    const shelf = this.#shelf(kind);
    return by === undefined ? shelf.order : (shelf.lists.get(`${by.key}=${by.value}`) ?? []);
  }

  /** An object's place in the order of creation; also known for deleted ones. */
  position(kind: Kind, id: string): number | undefined {
    return this.#shelf(kind).position.get(id);
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
  }

  /** Everything, for the file that it is kept in. */
  dump(): Record<string, unknown[]> {
    return Object.fromEntries([...this.#shelves].map(([kind, shelf]) => [kind, shelf.order]));
  }

  /** Takes back what `dump` gave. */
  load(dump: Record<string, unknown[]>): void {
    this.clear();
    for (const [kind, objects] of Object.entries(dump)) {
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
