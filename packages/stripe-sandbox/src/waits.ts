/** Things to do after a while. */
export interface Waits {
  /** Runs something after so many milliseconds. */
  after(ms: number, run: () => void): void;
  /** Forgets everything that waits. */
  clear(): void;
}

/** Waits that pass by themselves. */
export class PassingWaits implements Waits {
  readonly #timers = new Set<NodeJS.Timeout>();

  after(ms: number, run: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, ms);
    this.#timers.add(timer);
  }

  clear(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}

/** Waits that are over when somebody has moved the time past them. What need not wait runs right after the present call. */
export class HeldWaits implements Waits {
  readonly #nowMs: () => number;
  #waiting: { dueMs: number; run: () => void }[] = [];

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  after(ms: number, run: () => void): void {
    if (ms <= 0) queueMicrotask(run);
    else this.#waiting.push({ dueMs: this.#nowMs() + ms, run });
  }

  clear(): void {
    this.#waiting = [];
  }

  /** Runs what is over by now: what was due first goes first, and among equals what was asked for first. */
  passed(): void {
    const nowMs = this.#nowMs();
    const over = this.#waiting.filter(({ dueMs }) => dueMs <= nowMs).sort((a, b) => a.dueMs - b.dueMs);
    this.#waiting = this.#waiting.filter(({ dueMs }) => dueMs > nowMs);
    for (const { run } of over) run();
  }
}
