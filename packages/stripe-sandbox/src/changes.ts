import type { KeptAnswer } from './idempotency.ts';
import type { Kind, Kinds } from './model.ts';
import type { Due } from './schedule.ts';

/** Something that was added to what is planned or remembered, or that was done. */
export type Note =
  | { reminder: Due; clock: string | null }
  | { taken: Due; clock: string | null }
  | { answer: [key: string, answer: KeptAnswer] };

/**
 * What may have changed since it was last written to the file. Objects are changed in place, so whatever is handed out
 * in a request that may change something counts as changed.
 */
export class Changes {
  readonly #objects = new Map<Kinds[Kind], Kind>();
  readonly #gone = new Map<string, { kind: Kind; id: string }>();
  #notes: Note[] = [];
  /** Nothing that was written before holds any more: all has to be written anew. */
  everything = false;
  #reading = false;

  /** An object was handed out. */
  touch(kind: Kind, object: Kinds[Kind]): void {
    if (!this.#reading) this.#objects.set(object, kind);
  }

  /** An object was made or changed. */
  add(kind: Kind, object: Kinds[Kind]): void {
    this.#objects.set(object, kind);
  }

  /** An object was deleted. */
  remove(kind: Kind, object: Kinds[Kind]): void {
    this.#objects.delete(object);
    this.#gone.set(`${kind} ${object.id}`, { kind, id: object.id });
  }

  note(note: Note): void {
    this.#notes.push(note);
  }

  /** Runs something that changes nothing of what it is handed. */
  reading<T>(run: () => T): T {
    this.#reading = true;
    try {
      return run();
    } finally {
      this.#reading = false;
    }
  }

  /** All is to be written anew, as it is by then. */
  forget(): void {
    this.#objects.clear();
    this.#gone.clear();
    this.#notes = [];
    this.everything = true;
  }

  get isEmpty(): boolean {
    return this.#objects.size === 0 && this.#gone.size === 0 && this.#notes.length === 0;
  }

  /** Takes out, one by one, what has changed, until nothing is left; what changes meanwhile comes as well. */
  *drain(): Generator<{ kind: Kind; object: Kinds[Kind] } | { kind: Kind; gone: string } | Note> {
    while (!this.isEmpty) {
      // An id of one's own choice may have been deleted and given again: the deletion comes first.
      for (const [key, { kind, id }] of this.#gone) {
        this.#gone.delete(key);
        yield { kind, gone: id };
      }
      for (const [object, kind] of this.#objects) {
        this.#objects.delete(object);
        yield { kind, object };
        if (this.#gone.size > 0) break;
      }
      const notes = this.#notes;
      this.#notes = [];
      yield* notes;
    }
  }
}
