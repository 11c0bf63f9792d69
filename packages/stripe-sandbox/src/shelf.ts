/** What an object is looked up by besides its id: one text or several; nothing: not by this. */
export type Key = string | readonly string[] | null | undefined;

const NONE: readonly never[] = [];

function valuesOf(key: Key): readonly string[] {
  if (key === null || key === undefined) return NONE;
  return typeof key === 'string' ? [key] : key;
}

function isSameKey(one: Key, other: Key): boolean {
  return one === other || String(one) === String(other);
}

interface Place<T> {
  /** The place in the order of creation. Kept when the object is deleted, so that a cursor may still name it. */
  position: number;
  object: T | null;
}

interface Index<T> {
  key: (object: T) => Key;
  lists: Map<string, T[]>;
}

/** All objects of one kind, in the order of their creation, with the indexes that they are looked up in. */
export class Shelf<T extends { id: string }> {
  /** Oldest first. */
  readonly order: T[] = [];
  readonly #places = new Map<string, Place<T>>();
  readonly #indexes: Map<string, Index<T>>;
  #next = 1;

  constructor(keys: Record<string, (object: T) => Key>) {
    this.#indexes = new Map(Object.entries(keys).map(([name, key]) => [name, { key, lists: new Map() }]));
  }

  get(id: string): T | undefined {
    return this.#places.get(id)?.object ?? undefined;
  }

  position(id: string): number | undefined {
    return this.#places.get(id)?.position;
  }

  /** The objects with a key, oldest first. */
  with(index: string, value: string): readonly T[] {
    return this.#indexes.get(index)?.lists.get(value) ?? NONE;
  }

  insert(object: T): void {
    this.#places.set(object.id, { position: this.#next, object });
    this.#next += 1;
    this.order.push(object);
    for (const index of this.#indexes.values()) this.#file(index, object, (list) => list.length);
  }

  /** @returns what was deleted, if it was there */
  delete(id: string): T | undefined {
    const place = this.#places.get(id);
    if (place === undefined || place.object === null) return undefined;
    const { object } = place;
    this.#takeOut(this.order, object);
    for (const index of this.#indexes.values()) this.#unfile(index, index.key(object), object);
    place.object = null;
    return object;
  }

  /** Deletes the oldest objects for good, and gives them back: a cursor cannot name them any more. */
  forgetOldest(count: number): T[] {
    const forgotten = this.order.splice(0, count);
    for (const object of forgotten) {
      for (const index of this.#indexes.values()) this.#unfile(index, index.key(object), object);
      this.#places.delete(object.id);
    }
    return forgotten;
  }

  /** Changes an object in a way that may change what it is looked up by. */
  rekey<R>(object: T, change: () => R): R {
    const before = [...this.#indexes.values()].map((index) => ({ index, value: index.key(object) }));
    try {
      return change();
    } finally {
      for (const { index, value } of before) {
        if (isSameKey(value, index.key(object))) continue;
        this.#unfile(index, value, object);
        this.#file(index, object, (list) => this.#placeIn(list, object));
      }
    }
  }

  #file({ key, lists }: Index<T>, object: T, placeIn: (list: readonly T[]) => number): void {
    for (const value of valuesOf(key(object))) {
      const list = lists.get(value);
      // Most lists stay as short as this, and an array of one is smaller than an empty one that grew.
      if (list === undefined) lists.set(value, [object]);
      else list.splice(placeIn(list), 0, object);
    }
  }

  #unfile({ lists }: Index<T>, key: Key, object: T): void {
    for (const value of valuesOf(key)) {
      const list = lists.get(value);
      if (list === undefined) continue;
      this.#takeOut(list, object);
      if (list.length === 0) lists.delete(value);
    }
  }

  #takeOut(list: T[], object: T): void {
    const at = this.#placeIn(list, object);
    if (list[at] === object) list.splice(at, 1);
  }

  /** Where an object stands in a list, or would. */
  #placeIn(list: readonly T[], { id }: T): number {
    const position = this.position(id) ?? 0;
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const object = list[middle];
      if (object !== undefined && (this.position(object.id) ?? 0) < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
