/** Everything that a story happens in: Stripe, the database, and the processes of the service, under one scheduler. */

import { types } from '../../packages/server/src/platform/database.ts';
import { watchSubscriptions } from '../../packages/stripe-sandbox/src/billing/entitle.ts';
import { Control } from '../../packages/stripe-sandbox/src/control.ts';
import { catchUp, nextDue } from '../../packages/stripe-sandbox/src/time.ts';
import { World } from '../../packages/stripe-sandbox/src/world.ts';
import { closeDatabase, deafen, forgetListeners, openDatabase } from '../virtual/pg.ts';
import { Random, seedService } from '../virtual/random.ts';
import { type Owner, owners, sleep, virtualTime } from '../virtual/time.ts';
import { Apps } from './apps.ts';
import { Chaos, type Troubles } from './chaos.ts';
import { Deliveries, type DeliveryWatch } from './deliveries.ts';
import { JobDriver } from './jobs.ts';
import { ADMIN_KEY, type Answer, Process, ProcessDied, type Transport } from './process.ts';
import { Scheduler, SimulationError, type Step } from './scheduler.ts';
import { createTransport } from './stripe.ts';

export type StripeEvent = Parameters<World['webhooks']['send']>[0];

export interface UniverseOptions {
  seed: string;
  databaseUrl: string;
  startsAt: number;
  troubles: Troubles;
  /** Single troubles that do not happen. */
  without: ReadonlySet<string>;
  processes: number;
  /** Objects that a reconciliation asks for at once. */
  pageSize: number;
  readsAreSteps?: boolean;
  watch: DeliveryWatch & { happened(event: StripeEvent): void };
  trace?: ((line: string) => void) | undefined;
  logLevel?: string | undefined;
}

const RESTART_MS = 5_000;
/** Over some hours: Stripe may be away several times. */
const MOST_TRIES = 30;
const LATE_MS = 14 * 24 * 3_600_000;

export class Universe {
  readonly scheduler: Scheduler;
  readonly chaos: Chaos;
  readonly world: World;
  readonly control: Control;
  readonly deliveries: Deliveries;
  readonly jobs: JobDriver;
  readonly apps: Apps;
  readonly processes: Process[] = [];
  /** Notifications that were sent and have not been heard. */
  unheard = 0;
  /** Processes that are coming up. */
  #starting = 0;
  #started = 0;
  /** Requests of the world outside that are under way. */
  #requests = 0;
  #keys = 0;
  readonly #random: Random;
  readonly #transport: Transport;
  readonly #settings: { logLevel: string; pageSize: number };

  private constructor(options: UniverseOptions) {
    const { seed, watch } = options;
    this.#random = new Random(`${seed}/universe`);
    this.#settings = { logLevel: options.logLevel ?? 'silent', pageSize: options.pageSize };
    this.scheduler = new Scheduler(`${seed}/schedule`, options.trace ?? null);
    this.chaos = new Chaos(seed, options.troubles, options.without);
    this.world = new World({ seed: this.#random.below(2 ** 31), delivery: undefined });
    watchSubscriptions(this.world);
    this.world.baseUrl = 'http://stripe.simulation';
    this.control = new Control(this.world);
    this.deliveries = new Deliveries(seed, this.chaos, () => this.processes, watch);
    this.world.webhooks.send = (event) => {
      watch.happened(event);
      this.deliveries.send(event);
    };
    this.jobs = new JobDriver(this.scheduler, () => this.processes);
    this.apps = new Apps(this.scheduler, this.chaos);
    this.#transport = createTransport(this.world, this.scheduler, this.chaos, seed) as unknown as Transport;
    this.scheduler.add({ ready: () => this.#stripeTime(), next: () => msOf(nextDue(this.world)) });
    this.scheduler.add(this.deliveries);
    this.scheduler.add(this.jobs);
  }

  static async open(options: UniverseOptions): Promise<Universe> {
    virtualTime.reset(options.startsAt);
    seedService(`${options.seed}/service`);
    const universe = new Universe(options);
    await openDatabase(
      options.databaseUrl,
      {
        scheduler: universe.scheduler,
        readsAreSteps: options.readsAreSteps ?? false,
        fate: (owner, text) => universe.#fate(owner, text),
        kill: (owner) => universe.kill(owner as Process),
        jobsChanged: () => universe.jobs.changed(),
        unheard: (change) => {
          universe.unheard += change;
        },
      },
      types,
    );
    for (let count = 0; count < options.processes; count += 1) await universe.scheduler.runFor(universe.#start());
    return universe;
  }

  async close(): Promise<void> {
    for (const process of this.processes) process.die();
    await closeDatabase();
  }

  /** Of everything that happened, in order. */
  digest(): string {
    return this.scheduler.digest();
  }

  get now(): number {
    return virtualTime.now();
  }

  /** Whether anything is under way, or will happen without time going on. */
  get atRest(): boolean {
    return (
      !this.jobs.busy() && !this.deliveries.busy() && this.unheard === 0 && this.#starting === 0 && this.#requests === 0
    );
  }

  kill(process: Process): void {
    if (!process.alive) return;
    process.die();
    this.processes.splice(this.processes.indexOf(process), 1);
    this.scheduler.forget(process);
    virtualTime.forget(process);
    forgetListeners(process);
    this.#starting += 1;
    owners.exit(() => {
      const again = async () => {
        await this.scheduler.step('the jobs of the dead are free', () => this.jobs.release(process));
        await sleep(1 + this.#random.below(RESTART_MS));
        await this.#start();
        this.#starting -= 1;
      };
      again().catch((error: unknown) => this.scheduler.fail(error as Error));
    });
  }

  /**
   * Asks the service as an app or an operator does: tries again, with the same key, until there is an answer that says
   * something.
   * @throws SimulationError when there never is one
   */
  async ask(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    options: { key?: string; body?: object; process?: Process } = {},
  ): Promise<Answer> {
    this.#keys += 1;
    const headers: Record<string, string> = method === 'POST' ? { 'idempotency-key': `key-${this.#keys}` } : {};
    if (options.body !== undefined) headers['content-type'] = 'application/json';
    this.#requests += 1;
    let last = 'no answer';
    try {
      for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
        const up = this.processes.filter((process) => process.up);
        const process = options.process?.up === true ? options.process : up.length > 0 ? this.#random.pick(up) : null;
        if (process !== null) {
          try {
            const { key = ADMIN_KEY, body } = options;
            const answer = await process.request(method, `/api/v1${path}`, {
              key,
              headers,
              ...(body === undefined ? {} : { body }),
            });
            if (answer.status < 500 && answer.status !== 429 && !isUnderWay(answer)) return answer;
            last = `${answer.status} ${JSON.stringify(answer.body)}`;
          } catch (error) {
            if (!(error instanceof ProcessDied)) throw error;
            last = error.message;
          }
        }
        await sleep(Math.min(500 * 2 ** tries, 600_000));
      }
    } finally {
      this.#requests -= 1;
    }
    throw new SimulationError(`${method} ${path} was tried ${MOST_TRIES} times, and failed: ${last}`);
  }

  /** Nothing goes wrong any more, everything arrives, every job is done. */
  async settle(): Promise<void> {
    this.chaos.enabled = false;
    for (let round = 0; !this.atRest; round += 1) {
      if (round > 60) throw new SimulationError('The service does not come to rest.');
      this.deliveries.hurry();
      await this.scheduler.runUntil(this.now + 1_000);
      const next = this.jobs.next();
      if (next !== null && next > this.now) await this.scheduler.runUntil(Math.min(next, this.now + LATE_MS));
    }
  }

  async #start(): Promise<void> {
    this.#started += 1;
    const process = new Process(`p${this.#started}`);
    // It reads files: the rest of the world waits for that, so that what follows does not depend on the disk.
    await this.scheduler.step(`start ${process.name}`, async () => {
      this.scheduler.exclusive = true;
      await process.start({ transport: this.#transport, sendNotice: this.apps.send }, this.#settings);
      this.scheduler.exclusive = false;
    });
    this.processes.push(process);
  }

  /** What falls due at Stripe at this moment. */
  #stripeTime(): Step[] {
    const due = msOf(nextDue(this.world));
    if (due === null || due > this.now) return [];
    return [{ owner: undefined, label: 'time goes on at Stripe', run: () => catchUp(this.world) }];
  }

  #fate(owner: Owner, text: string): 'ok' | 'lost_before' | 'lost_after' | 'dies_before' | 'dies_after' {
    // Reading is no commit.
    if (/^\s*select/i.test(text)) return 'ok';
    const process = owner as Process;
    if (!process.up) return 'ok';
    if (this.chaos.strikes('deaf') !== null) {
      this.chaos.note('deaf', this.now, `${owner.name} does not hear for a moment`);
      deafen(owner);
    }
    const death = this.chaos.strikes('death');
    if (death !== null) {
      const after = death.chance(0.5);
      this.chaos.note('death', this.now, `${owner.name} dies ${after ? 'after' : 'before'} ${text.slice(0, 50)}`);
      return after ? 'dies_after' : 'dies_before';
    }
    const broken = this.chaos.strikes('database');
    if (broken === null) return 'ok';
    const after = broken.chance(0.5);
    this.chaos.note(
      'database',
      this.now,
      `${owner.name} loses the database ${after ? 'after' : 'before'} ${text.slice(0, 50)}`,
    );
    return after ? 'lost_after' : 'lost_before';
  }
}

/** The first request with this key is under way, or was when its process died. */
function isUnderWay({ status, body }: Answer): boolean {
  return status === 409 && (body?.code === 'idempotency_in_progress' || body?.code === 'checkout_busy');
}

function msOf(seconds: number | null): number | null {
  return seconds === null ? null : seconds * 1000;
}
