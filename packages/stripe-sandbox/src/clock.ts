/**
 * The sandbox's time in whole Unix seconds: the wall clock, moved forward by what was advanced. While something that
 * was due in the past is carried out, or a customer lives on a test clock, `at` sets another time for that long.
 */
export class Clock {
  /** Seconds by which the sandbox is ahead of the wall clock. */
  offset = 0;
  #fixed: number | null = null;

  /** The present time in Unix seconds. */
  now(): number {
    return this.#fixed ?? Math.floor(Date.now() / 1000) + this.offset;
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
}
