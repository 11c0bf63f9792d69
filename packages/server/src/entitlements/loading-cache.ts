import { LRUCache } from 'lru-cache';
import type { Clock } from '../platform/clock.ts';
import { TollgateError } from '../platform/errors.ts';
import { within } from '../platform/within.ts';

/** How old what is remembered may be. */
export interface CacheAges {
  /** An entry is read again after this long, in milliseconds: the safety net below the invalidations. */
  maxAgeMs: number;
  /** The same while invalidations cannot be heard. */
  maxAgeUnheardMs: number;
  /** While nothing can be read, what was read at most so long ago still answers. */
  maxStaleMs: number;
}

export const DEFAULT_AGES: CacheAges = {
  maxAgeMs: 60_000,
  maxAgeUnheardMs: 1_000,
  maxStaleMs: 15 * 60_000,
};

export interface LoadingCacheOptions<V extends object> extends CacheAges {
  /** Reads what is not remembered. A `TollgateError` is an answer; anything else means: could not be read. */
  load: (key: string) => Promise<V>;
  /** Estimated bytes of an entry, its key included. */
  sizeOf: (value: V, key: string) => number;
  /** Whether a value that was read again is the one remembered, which is then kept with all that hangs on it. */
  same?: (a: V, b: V) => boolean;
  /**
   * Which of these are still what would be read: cheaper than reading them, where there is a way to tell. Without it what
   * is due is read.
   */
  unchanged?: (remembered: ReadonlyMap<string, V>) => Promise<readonly string[]>;
  maxBytes: number;
  clock: Clock;
  /** Whether invalidations are heard now. */
  heard: () => boolean;
  /** Something could not be read; `stale` tells whether an old value answered in its place. */
  onFailure?: (error: unknown, stale: boolean) => void;
}

/** How long a read may take where there is an old value to fall back on, and where there is none. */
const PATIENCE_WITH_FALLBACK_MS = 1_000;
const PATIENCE_MS = 5_000;
/** After a failed read old values answer at once for this long, rather than each waiting in vain. */
const REST_AFTER_FAILURE_MS = 1_000;
/**
 * What is asked for is read again in the background once it has this part of its age: entries that were read together do
 * not grow too old together, and nobody waits for them.
 */
const REFRESH_FROM = 0.5;
const REFRESH_UNTIL = 0.9;
/** Those that are due are read together, so many at a time. */
const REFRESH_EVERY_MS = 20;
const REFRESH_AT_ONCE = 1_000;
/** What an entry costs beside what it holds. */
const ENTRY_BYTES = 250;

interface Entry<V> {
  readonly value: V;
  readAt: number;
  /** The age at which it is read again while it still answers; Infinity once that is under way. */
  refreshAgeMs: number;
  /** The generation of the cache in which it was read. */
  generation: number;
}

export interface CacheCounts {
  hits: number;
  misses: number;
  /** Answers older than they should be, because nothing newer could be read. */
  stale: number;
  entries: number;
  bytes: number;
}

/**
 * Remembers what is read from elsewhere, bounded by bytes, and answers without a promise where it can. Concurrent
 * readers of one key share one read; one that was under way when its key was invalidated is not remembered.
 */
export class LoadingCache<V extends object> {
  readonly #options: LoadingCacheOptions<V>;
  readonly #entries: LRUCache<string, Entry<V>>;
  readonly #loading = new Map<string, Promise<V>>();
  readonly #due = new Set<string>();
  #refreshing: NodeJS.Timeout | undefined;
  #generation = 0;
  #failedAt = Number.NEGATIVE_INFINITY;
  #hits = 0;
  #misses = 0;
  #stale = 0;

  constructor(options: LoadingCacheOptions<V>) {
    this.#options = options;
    const { sizeOf, maxBytes } = options;
    this.#entries = new LRUCache<string, Entry<V>>({
      maxSize: maxBytes,
      // A single value that is larger than the whole cache is not remembered; 1 is the smallest size there is.
      sizeCalculation: ({ value }, key) => ENTRY_BYTES + sizeOf(value, key),
    });
  }

  /**
   * @throws what `load` refuses with; TollgateError `database_unavailable` when it fails or takes too long, and no old
   *   value can answer
   */
  get(key: string): V | Promise<V> {
    const entry = this.#entries.get(key);
    if (entry !== undefined && entry.generation === this.#generation) {
      const age = this.#options.clock.now() - entry.readAt;
      const { maxAgeMs, maxAgeUnheardMs } = this.#options;
      if (age >= 0 && age < maxAgeMs && (age < maxAgeUnheardMs || this.#options.heard())) {
        this.#hits += 1;
        if (age >= entry.refreshAgeMs) this.#refreshSoon(key, entry);
        return entry.value;
      }
    }
    this.#misses += 1;
    return this.#read(key, entry);
  }

  /** What is remembered, however old, without asking anyone. */
  peek(key: string): V | undefined {
    return this.#entries.peek(key)?.value;
  }

  /** What is remembered of the key is wrong: it is forgotten, and a read under way does not bring it back. */
  invalidate(key: string): void {
    this.#entries.delete(key);
    this.#loading.delete(key);
  }

  /** Invalidations may have been missed: everything is read again before it is trusted, if it can be read. */
  doubt(): void {
    this.#generation += 1;
    this.#loading.clear();
  }

  /** Whether a read failed lately and none has succeeded since. */
  failing(): boolean {
    return this.#options.clock.now() - this.#failedAt < this.#options.maxAgeMs;
  }

  counts(): CacheCounts {
    return {
      hits: this.#hits,
      misses: this.#misses,
      stale: this.#stale,
      entries: this.#entries.size,
      bytes: this.#entries.calculatedSize,
    };
  }

  #refreshSoon(key: string, entry: Entry<V>): void {
    entry.refreshAgeMs = Number.POSITIVE_INFINITY;
    this.#due.add(key);
    this.#refreshing ??= setTimeout(() => this.#refresh(), REFRESH_EVERY_MS).unref();
  }

  #refresh(): void {
    this.#refreshing = undefined;
    const due = new Map<string, Entry<V>>();
    for (const key of [...this.#due].slice(0, REFRESH_AT_ONCE)) {
      this.#due.delete(key);
      const entry = this.#entries.peek(key);
      if (entry !== undefined && !this.#loading.has(key)) due.set(key, entry);
    }
    void this.#keepUnchanged(due).then((rest) => {
      // What cannot be read now is read when it is asked for and too old.
      for (const key of rest) this.#load(key).catch(() => {});
    });
    if (this.#due.size > 0) this.#refreshing = setTimeout(() => this.#refresh(), REFRESH_EVERY_MS).unref();
  }

  /** @returns the keys of those that have to be read */
  async #keepUnchanged(due: ReadonlyMap<string, Entry<V>>): Promise<Iterable<string>> {
    const { unchanged, clock } = this.#options;
    if (unchanged === undefined || due.size === 0) return due.keys();
    const startedAt = clock.now();
    const generation = this.#generation;
    const values = new Map([...due].map(([key, { value }]) => [key, value]));
    const same = await unchanged(values).catch(() => null);
    if (same === null) return [];
    const rest = new Set(due.keys());
    for (const key of same) {
      rest.delete(key);
      const entry = this.#entries.peek(key);
      if (entry === undefined || entry !== due.get(key) || generation !== this.#generation) continue;
      entry.readAt = startedAt;
      entry.refreshAgeMs = this.#refreshAge();
    }
    return rest;
  }

  #refreshAge(): number {
    return this.#options.maxAgeMs * (REFRESH_FROM + (REFRESH_UNTIL - REFRESH_FROM) * Math.random());
  }

  async #read(key: string, old: Entry<V> | undefined): Promise<V> {
    const fallback = () => {
      const usable =
        old !== undefined && this.#entries.peek(key) === old && this.#ageOf(old) < this.#options.maxStaleMs;
      return usable ? old.value : undefined;
    };
    if (this.#options.clock.now() - this.#failedAt < REST_AFTER_FAILURE_MS) {
      const value = fallback();
      if (value !== undefined) {
        this.#stale += 1;
        return value;
      }
    }
    const loading = this.#loading.get(key) ?? this.#load(key);
    try {
      return await within(old === undefined ? PATIENCE_MS : PATIENCE_WITH_FALLBACK_MS, loading);
    } catch (error) {
      if (error instanceof TollgateError) throw error;
      // One that hangs must not be waited for by everyone who comes after.
      if (this.#loading.get(key) === loading) this.#loading.delete(key);
      this.#failedAt = this.#options.clock.now();
      const value = fallback();
      this.#options.onFailure?.(error, value !== undefined);
      if (value === undefined) throw unavailable();
      this.#stale += 1;
      return value;
    }
  }

  #load(key: string): Promise<V> {
    const { load, clock } = this.#options;
    const generation = this.#generation;
    const startedAt = clock.now();
    const loading: Promise<V> = load(key).then(
      (value) => {
        // Gone from the map: invalidated meanwhile, and maybe read before the change.
        const current = this.#loading.get(key) === loading && generation === this.#generation;
        return current ? this.#remember(key, value, startedAt) : value;
      },
      (error: unknown) => {
        if (this.#loading.get(key) === loading) this.#loading.delete(key);
        throw error;
      },
    );
    this.#loading.set(key, loading);
    return loading;
  }

  #remember(key: string, value: V, readAt: number): V {
    this.#loading.delete(key);
    this.#failedAt = Number.NEGATIVE_INFINITY;
    const known = this.#entries.peek(key);
    if (known !== undefined && this.#options.same?.(known.value, value) === true) {
      known.readAt = readAt;
      known.refreshAgeMs = this.#refreshAge();
      known.generation = this.#generation;
      return known.value;
    }
    if (known !== undefined) this.#entries.delete(key);
    this.#entries.set(key, { value, readAt, refreshAgeMs: this.#refreshAge(), generation: this.#generation });
    return value;
  }

  #ageOf(entry: Entry<V>): number {
    return Math.abs(this.#options.clock.now() - entry.readAt);
  }
}

function unavailable(): TollgateError {
  return new TollgateError('database_unavailable', 'The database cannot be reached now. Try again shortly.', [], {
    retry_after: 1,
  });
}
