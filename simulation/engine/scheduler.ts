/**
 * Lets one thing happen at a time, in an order that follows from the seed. Whatever could happen in several orders waits
 * here as a step: a statement outside a transaction, a whole transaction, a call to Stripe, a message to a cache.
 */
import { createHash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { Random } from '../virtual/random.ts';
import { type Owner, owners, virtualTime } from '../virtual/time.ts';

export interface Step {
  owner: Owner | undefined;
  /** For the log: `stripe GET /v1/subscriptions/sub_…`. */
  label: string;
  run: () => Promise<void> | void;
}

/** What could be begun although nobody waits for it yet: a job, a delivery, something that a person does. */
export interface Source {
  /** All that could begin now; in an order that is the same in every run. */
  ready(): Promise<readonly Step[]> | readonly Step[];
  /** When more may be ready, epoch milliseconds; null: not by itself. */
  next(): number | null;
}

/** A mistake of the service that nothing but the simulation can see, or of the simulation. */
export class SimulationError extends Error {
  override readonly name = 'SimulationError';
}

/** Whoever waits for this waits for ever: the process that asked is dead. */
export class Abandoned extends Error {
  override readonly name = 'Abandoned';
}

/** Turns of the event loop without any sign of activity, after which everybody is taken to wait. */
const CALM_TURNS = 3;
const STUCK_TURNS = 2_000;
const MOST_STEPS_AT_ONCE = 200_000;

export class Scheduler {
  /** Grows whenever code does anything that the simulation sees. */
  activity = 0;
  /** What really is under way outside this process: statements that PostgreSQL works on. */
  underWay: Promise<unknown> | null = null;
  /** The transaction that is open, and whose; nothing else happens meanwhile. */
  transaction: { owner: Owner | undefined } | null = null;
  /** Something is under way that everything else waits for: what it asks of the database is no step of its own. */
  exclusive = false;
  failure: Error | null = null;
  steps = 0;
  readonly #sources: Source[] = [];
  #waiting: Step[] = [];
  readonly #random: Random;
  readonly #hash = createHash('sha256');
  readonly #trace: ((line: string) => void) | null;

  constructor(seed: string, trace: ((line: string) => void) | null) {
    this.#random = new Random(seed);
    this.#trace = trace;
  }

  add(source: Source): void {
    this.#sources.push(source);
  }

  /** Waits for its turn, then runs, and resolves with what that gives. Steps of a dead process never run. */
  step<T>(label: string, run: () => Promise<T> | T): Promise<T> {
    this.activity += 1;
    const owner = owners.getStore();
    if (owner?.alive === false) return new Promise(() => {});
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({
        owner,
        label,
        run: async () => {
          try {
            resolve(await run());
          } catch (error) {
            if (!(error instanceof Abandoned)) reject(error);
          }
        },
      });
    });
  }

  forget(owner: Owner): void {
    this.#waiting = this.#waiting.filter((step) => step.owner !== owner);
    if (this.transaction?.owner === owner) this.transaction = null;
  }

  /** Something went wrong that must end the run. */
  fail(error: Error): void {
    this.failure ??= error;
  }

  /**
   * Lets things happen until nothing more can happen at this moment, and time on to `until` where something is to
   * happen later.
   */
  async runUntil(until: number): Promise<void> {
    for (let count = 0; ; count += 1) {
      if (count > MOST_STEPS_AT_ONCE) throw new SimulationError('It never comes to rest.');
      await this.quiet();
      const step = await this.#choose();
      if (step !== undefined) {
        await this.#take(step);
        continue;
      }
      const next = this.#nextTime();
      if (next === null || next > until) {
        virtualTime.moveTo(until);
        if (!(await this.#anythingReady())) return;
        continue;
      }
      virtualTime.moveTo(Math.max(next, virtualTime.now() + 1));
    }
  }

  /** Lets things happen until a promise of the world outside is settled. */
  async runFor<T>(work: Promise<T>, patienceMs = 24 * 3_600_000): Promise<T> {
    let over = false;
    work.then(
      () => {
        over = true;
      },
      () => {
        over = true;
      },
    );
    const deadline = virtualTime.now() + patienceMs;
    for (let count = 0; ; count += 1) {
      await this.quiet();
      if (over) return await work;
      if (count > MOST_STEPS_AT_ONCE) throw new SimulationError('It never comes to rest.');
      const step = await this.#choose();
      if (step !== undefined) {
        await this.#take(step);
        continue;
      }
      // A timer that was due may have been the last thing that it waited for.
      if (over) continue;
      const next = this.#nextTime();
      if (next === null || next > deadline) {
        throw new SimulationError('Somebody waits for something that never happens.');
      }
      virtualTime.moveTo(Math.max(next, virtualTime.now() + 1));
    }
  }

  /** Resolves when everybody waits for a step, for time, or for nothing. */
  async quiet(): Promise<void> {
    let stuck = 0;
    for (let calm = 0; calm < CALM_TURNS || this.transaction !== null; ) {
      if (this.failure !== null) throw this.failure;
      const before = this.activity;
      if (this.underWay !== null) {
        await this.underWay.catch(() => {});
        calm = 0;
        stuck = 0;
        continue;
      }
      await turn();
      if (before !== this.activity) {
        calm = 0;
        stuck = 0;
        continue;
      }
      calm += 1;
      stuck += 1;
      if (stuck > STUCK_TURNS) {
        const waiting = this.#waiting.map(({ label }) => label).join('; ');
        throw new SimulationError(
          `A transaction is open while its code waits for something else: a call to Stripe, another connection, or time. Waiting: ${waiting}`,
        );
      }
    }
    if (this.failure !== null) throw this.failure;
  }

  /** Of everything that happened, in order. */
  digest(): string {
    return this.#hash.copy().digest('hex').slice(0, 16);
  }

  async #take(step: Step): Promise<void> {
    this.steps += 1;
    this.activity += 1;
    const line = `${new Date(virtualTime.now()).toISOString()} ${step.owner?.name ?? '-'} ${step.label}`;
    this.#hash.update(line);
    this.#trace?.(line);
    await step.run();
  }

  async #choose(): Promise<Step | undefined> {
    for (const { owner, run } of virtualTime.takeDue()) {
      this.activity += 1;
      if (owner === undefined) run();
      else owners.run(owner, run);
      await this.quiet();
    }
    const begun = [];
    for (const source of this.#sources) begun.push(...(await source.ready()));
    const count = this.#waiting.length + begun.length;
    if (count === 0) return undefined;
    const chosen = this.#random.below(count);
    if (chosen < this.#waiting.length) return this.#waiting.splice(chosen, 1)[0];
    return begun[chosen - this.#waiting.length];
  }

  async #anythingReady(): Promise<boolean> {
    if (this.#waiting.length > 0) return true;
    const due = virtualTime.next();
    if (due !== null && due <= virtualTime.now()) return true;
    for (const source of this.#sources) if ((await source.ready()).length > 0) return true;
    return false;
  }

  #nextTime(): number | null {
    const times = [virtualTime.next(), ...this.#sources.map((source) => source.next())];
    let next: number | null = null;
    for (const time of times) if (time !== null && (next === null || time < next)) next = time;
    return next;
  }
}
