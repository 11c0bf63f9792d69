/** Something to look at again when its time has come. */
export interface Due {
  at: number;
  kind: 'checkout.session' | 'invoice' | 'payment_intent' | 'subscription' | 'subscription_schedule';
  id: string;
}

/**
 * What falls due, soonest first (a binary heap). An entry is only a reminder: whoever takes it looks at the object and
 * may find that nothing is to be done any more, so entries are never removed when plans change.
 */
export class Schedule {
  #heap: Due[] = [];

  add(due: Due): void {
    const heap = this.#heap;
    heap.push(due);
    let child = heap.length - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (this.#at(parent) <= this.#at(child)) break;
      this.#swap(parent, child);
      child = parent;
    }
  }

  /** Takes the soonest entry that is due at the given time, if there is one. */
  take(now: number): Due | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined || first.at > now) return undefined;
    const last = heap.pop();
    if (last !== undefined && heap.length > 0) {
      heap[0] = last;
      this.#sink();
    }
    return first;
  }

  /** When the soonest entry is due; null when there is none. */
  get next(): number | null {
    return this.#heap[0]?.at ?? null;
  }

  /** All entries, for the file that they are kept in. */
  dump(): Due[] {
    return [...this.#heap];
  }

  #at(index: number): number {
    return this.#heap[index]?.at ?? Number.POSITIVE_INFINITY;
  }

  #swap(a: number, b: number): void {
    const heap = this.#heap;
    const [first, second] = [heap[a], heap[b]];
    if (first === undefined || second === undefined) return;
    heap[a] = second;
    heap[b] = first;
  }

  #sink(): void {
    let parent = 0;
    for (;;) {
      const left = 2 * parent + 1;
      const least = this.#at(left + 1) < this.#at(left) ? left + 1 : left;
      if (this.#at(parent) <= this.#at(least)) return;
      this.#swap(parent, least);
      parent = least;
    }
  }
}
