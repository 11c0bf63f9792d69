import { HeldWaits, PassingWaits, type Waits } from './waits.ts';

/** Where a sandbox's time begins, and whether it passes. */
export interface ClockOptions {
  /** When it begins: a `Date`, or Unix seconds. Default: now. A file that holds a state goes on where it stood. */
  at?: Date | number;
  /** True: time stands still until `control.advance` moves it, and so do all waits and retries. Default false. */
  frozen?: boolean;
}

/** The machine's time in Unix seconds. */
export function machineSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

/**
 * The sandbox's time in whole Unix seconds: the wall clock, moved by what was advanced; or a time that stands still.
 * While something that was due in the past is carried out, or a customer lives on a test clock, `at` sets another time
 * for that long.
 */
export class Clock {
  /** Seconds by which the sandbox is ahead of the wall clock, or of where it was frozen. */
  offset: number;
  readonly frozen: boolean;
  readonly #base: () => number;
  readonly #begin: number;
  readonly #held: HeldWaits[] = [];
  #fixed: number | null = null;

  constructor({ at, frozen = false }: ClockOptions = {}) {
    const begin = at === undefined ? machineSeconds() : Math.floor(typeof at === 'number' ? at : at.getTime() / 1000);
    if (!Number.isSafeInteger(begin)) throw new RangeError('clock.at has to be a valid Date, or Unix seconds.');
    this.frozen = frozen;
    this.#base = frozen ? () => begin : machineSeconds;
    this.#begin = begin - this.#base();
    this.offset = this.#begin;
  }

  /** The present time in Unix seconds. */
  now(): number {
    return this.#fixed ?? this.#base() + this.offset;
  }

  /** The time that passes outside, in Unix seconds: the machine's, whatever was advanced; or the frozen one. */
  outside(): number {
    return this.frozen ? this.now() : machineSeconds();
  }

  /** How far the sandbox is ahead of the machine, in milliseconds. */
  aheadMs(): number {
    return this.frozen ? this.now() * 1000 - Date.now() : this.offset * 1000;
  }

  /** Runs something as if it were the given time. */
  at<T>(time: number, run: () => T): T {
    const before = this.#fixed;
    this.#fixed = time;
    try {
      return run();
    } finally {
      this.#fixed = before;
    }
  }

  /** Waits of this time: they pass by themselves, or when a frozen clock is moved. */
  waits(): Waits {
    if (!this.frozen) return new PassingWaits();
    const held = new HeldWaits(() => this.now() * 1000);
    this.#held.push(held);
    return held;
  }

  /** Moves the time forward by whole seconds. */
  forward(seconds: number): void {
    this.offset += seconds;
    for (const held of this.#held) held.passed();
  }

  /** Goes on from a state that was kept: `offset` and `now` as they were then. */
  resume(kept: { offset: number; now: number }): void {
    this.offset = this.frozen ? kept.now - this.#base() : kept.offset;
  }

  /** Back to where it began. */
  reset(): void {
    this.offset = this.#begin;
  }
}
