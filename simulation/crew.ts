/** The processes that run seeds; each runs one at a time, and is replaced when it breaks. */
import { type ChildProcess, fork } from 'node:child_process';
import type { SeedResult } from './run-seed.ts';
import type { Order, Report } from './worker.ts';

export type Outcome = { seed: string; result: SeedResult } | { seed: string; crash: string };

const WORKER = new URL('worker.ts', import.meta.url);
/** A process that ran so many seeds makes place for another: what dead processes of the service left behind goes with it. */
const SEEDS_A_PROCESS = 40;

export class Crew {
  readonly #bug: string | null;
  #idle: { child: ChildProcess; ran: number }[] = [];

  constructor(bug: string | null) {
    this.#bug = bug;
  }

  async run(order: Order): Promise<Outcome> {
    const worker = this.#idle.pop() ?? { child: await this.#start(), ran: 0 };
    const { child } = worker;
    const outcome = await new Promise<Outcome>((resolve) => {
      const onMessage = (report: Report) => {
        if ('ready' in report) return;
        over();
        resolve({ ...report, seed: order.seed });
      };
      const onExit = (code: number | null) => {
        over();
        resolve({ seed: order.seed, crash: `The process ended with ${code}.` });
      };
      const over = () => {
        child.off('message', onMessage);
        child.off('exit', onExit);
      };
      child.on('message', onMessage);
      child.on('exit', onExit);
      child.send(order);
    });
    worker.ran += 1;
    if ('crash' in outcome || worker.ran >= SEEDS_A_PROCESS) {
      if (child.connected) child.disconnect();
    } else {
      this.#idle.push(worker);
    }
    return outcome;
  }

  stop(): void {
    for (const { child } of this.#idle.splice(0)) child.disconnect();
  }

  async #start(): Promise<ChildProcess> {
    const env = { ...process.env, ...(this.#bug === null ? {} : { SIMULATION_BUG: this.#bug }) };
    const child = fork(WORKER, [], { env, execArgv: ['--no-warnings', '--max-semi-space-size=64'] });
    await new Promise<void>((resolve, reject) => {
      child.once('message', () => resolve());
      child.once('exit', (code) => reject(new Error(`A process of the simulation ended with ${code} while it began.`)));
    });
    return child;
  }
}
