/** Runs many seeds side by side, shows how far it is, and tells of the first that fail. */
import { Crew, type Outcome } from './crew.ts';
import { startCluster } from './engine/cluster.ts';
import { replayCommand, shrink, tell } from './shrink.ts';
import type { Size } from './story/story.ts';
import type { Order } from './worker.ts';

export interface Plan {
  seeds: readonly string[];
  size: Size;
  /** Processes of the service on one database. */
  processes: number;
  /** Seeds at once. */
  workers: number;
  /** Nothing goes wrong. */
  calm: boolean;
  only: number[] | null;
  without: string[];
  bug: string | null;
  trace: boolean;
  shrink: boolean;
  /** No seed begins later than so many minutes after the start; null: all are run. */
  minutes: number | null;
}

/** Failures after which it is not worth going on. */
const MOST_FAILURES = 5;
const PROGRESS_EVERY_MS = 5_000;
const SIGN_OF_LIFE_EVERY_MS = 30_000;

/** @returns whether every promise was kept */
export async function runSeeds(plan: Plan): Promise<boolean> {
  const cluster = await startCluster();
  const crew = new Crew(plan.bug);
  const progress = new Progress(plan.seeds.length);
  const waiting = [...plan.seeds];
  let failures = 0;
  const lastStart = plan.minutes === null ? Number.POSITIVE_INFINITY : Date.now() + plan.minutes * 60_000;
  const work = async () => {
    for (let seed = waiting.shift(); seed !== undefined; seed = waiting.shift()) {
      if (Date.now() > lastStart) return;
      const order = orderOf(plan, seed, cluster.url);
      const outcome = await crew.run(order);
      progress.add(outcome);
      if (succeeded(outcome)) continue;
      failures += 1;
      print(`\nSeed ${seed} failed.`);
      await report(crew, plan, order, outcome);
      if (failures >= MOST_FAILURES) waiting.length = 0;
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(plan.workers, plan.seeds.length) }, work));
  } finally {
    crew.stop();
    progress.end();
    await cluster.stop();
  }
  return failures === 0;
}

export function orderOf(plan: Plan, seed: string, serverUrl: string): Order {
  return {
    seed,
    size: plan.size,
    calm: plan.calm,
    processes: plan.processes,
    serverUrl,
    only: plan.only,
    without: plan.without,
    trace: plan.trace,
  };
}

export function succeeded(outcome: Outcome): boolean {
  return 'result' in outcome && outcome.result.failure === null;
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function report(crew: Crew, plan: Plan, order: Order, outcome: Outcome): Promise<void> {
  if ('crash' in outcome) {
    print(outcome.crash);
    print(`Again: ${replayCommand(plan, order)}`);
    return;
  }
  const smallest = plan.shrink ? await shrink(crew, order, outcome.result, print) : { order, result: outcome.result };
  print(tell(smallest.result));
  print(`Again: ${replayCommand(plan, smallest.order)}`);
}

class Progress {
  readonly #startedAt = Date.now();
  readonly #seeds: number;
  #done = 0;
  #months = 0;
  #steps = 0;
  #operations = 0;
  #troubles = 0;
  #processorMs = 0;
  #shownAt = 0;
  /** A large seed takes minutes. */
  readonly #signOfLife = setInterval(() => this.#show(), SIGN_OF_LIFE_EVERY_MS).unref();

  constructor(seeds: number) {
    this.#seeds = seeds;
  }

  add(outcome: Outcome): void {
    this.#done += 1;
    if ('result' in outcome) {
      this.#months += outcome.result.customerMonths;
      this.#steps += outcome.result.steps;
      this.#operations += outcome.result.operations.length;
      this.#troubles += outcome.result.troubles.length;
      this.#processorMs += outcome.result.processorMs;
    }
    if (Date.now() - this.#shownAt >= PROGRESS_EVERY_MS) this.#show();
  }

  #show(): void {
    this.#shownAt = Date.now();
    const seconds = (Date.now() - this.#startedAt) / 1000;
    const left = this.#done === 0 ? '?' : Math.round((seconds / this.#done) * (this.#seeds - this.#done));
    print(
      `${Math.round(seconds)} s: ${this.#done}/${this.#seeds} seeds, ${Math.round(this.#months)} customer-months, ${(this.#months / seconds).toFixed(1)} customer-months/s, ${left} s left for all`,
    );
  }

  end(): void {
    clearInterval(this.#signOfLife);
    const seconds = Math.round((Date.now() - this.#startedAt) / 1000);
    print(
      `${this.#done} seeds in ${seconds} s: ${Math.round(this.#months)} customer-months, ${this.#operations} operations, ${this.#troubles} troubles, ${this.#steps} steps, ${(this.#processorMs / this.#months).toFixed(1)} ms of processor per customer-month (without PostgreSQL's)`,
    );
  }
}
