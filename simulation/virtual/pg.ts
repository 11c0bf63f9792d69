/**
 * `pg` as the service sees it. Beneath it is one real connection to a real PostgreSQL: a statement outside a transaction
 * and a whole transaction are each one step of the scheduler's, so that their order follows from the seed. Notifications
 * are taken from the statements and handed out after the commit, one step for each listener.
 */
import { EventEmitter } from 'node:events';
import pg from 'pg';
import { Abandoned, type Scheduler, SimulationError } from '../engine/scheduler.ts';
import { type Owner, owners, virtualTime } from './time.ts';

/** What becomes of a statement or a commit; by the seed. */
export type DatabaseFate = 'ok' | 'lost_before' | 'lost_after' | 'dies_before' | 'dies_after';

export interface DatabaseHooks {
  scheduler: Scheduler;
  /** Whether other things may happen between two statements that only read. */
  readsAreSteps: boolean;
  /** Decides about a commit, or a statement that is a transaction of its own. */
  fate(owner: Owner, text: string): DatabaseFate;
  /** The process dies here. */
  kill(owner: Owner): void;
  /** A transaction that asked for a job was committed. */
  jobsChanged(): void;
  /** A notification that is on its way to a listener: how many have not arrived. */
  unheard(change: 1 | -1): void;
}

interface Notification {
  channel: string;
  payload: string;
}

let real: pg.Client | null = null;
let hooks: DatabaseHooks | null = null;
let clockSetTo = -1;
let listeners: Client[] = [];
const names = new Map<string, string>();

/** Begins to work on a database. */
export async function openDatabase(connectionString: string, using: DatabaseHooks, types: pg.CustomTypesConfig) {
  real = new pg.Client({ connectionString, types, options: '-c search_path=simulation,pg_catalog,public' });
  hooks = using;
  clockSetTo = -1;
  listeners = [];
  names.clear();
  await real.connect();
}

export async function closeDatabase(): Promise<void> {
  await real?.end();
  real = null;
}

/** Asks the database at once, past the scheduler: for the simulation itself. */
// biome-ignore lint/suspicious/noExplicitAny: rows are whatever was asked for
export async function ask(text: string, values: unknown[] = []): Promise<any[]> {
  const { rows } = await execute(text, values);
  return rows;
}

/** Breaks the connections over which a process hears changes. */
export function deafen(owner: Owner): void {
  for (const listener of listeners.filter((candidate) => candidate.owner === owner)) listener.break();
}

export function forgetListeners(owner: Owner): void {
  for (const listener of listeners.filter((candidate) => candidate.owner === owner)) listener.drop();
}

let last: Promise<unknown> = Promise.resolve();

/** One after the other, in the order in which they were asked for. */
async function execute(text: string, values: unknown[]): Promise<pg.QueryResult> {
  if (real === null || hooks === null) throw new SimulationError('No database is open.');
  const client = real;
  const { scheduler } = hooks;
  scheduler.activity += 1;
  const before = last;
  const work = (async () => {
    await before.catch(() => {});
    if (clockSetTo !== virtualTime.now() && asksForTime(text)) {
      clockSetTo = virtualTime.now();
      await client.query(`set simulation.now = '${new Date(clockSetTo).toISOString()}'`);
    }
    // A setting that was made in a transaction goes with it.
    if (text === 'rollback') clockSetTo = -1;
    if (values.length === 0) return await client.query(text);
    const name = names.get(text) ?? `q${names.size}`;
    names.set(text, name);
    return await client.query({ name, text, values });
  })();
  last = work;
  scheduler.underWay = work;
  try {
    return await work;
  } finally {
    scheduler.activity += 1;
    if (scheduler.underWay === work) scheduler.underWay = null;
  }
}

const timed = new Map<string, boolean>();

function asksForTime(text: string): boolean {
  const asks = timed.get(text) ?? /\bnow\(|clock_timestamp|add_job/.test(text);
  timed.set(text, asks);
  return asks;
}

/** A function of the database's, called within a `select` or any other statement. */
const ADDS_A_JOB = '.add_job(';

function onlyReads(text: string): boolean {
  return /^\s*select (?!\()/i.test(text) && !text.includes(ADDS_A_JOB);
}

/** As a step, unless everything else waits already. */
async function inTurn<T>(label: string, run: () => Promise<T>): Promise<T> {
  const { scheduler } = need();
  return scheduler.exclusive ? await run() : await scheduler.step(label, run);
}

/** Outside a step nobody would understand that the process is dead: its code stops here. */
function forEver(_: Abandoned): Promise<never> {
  return new Promise(() => {});
}

function lost(): Error {
  return Object.assign(new Error('Connection terminated unexpectedly'), { code: '57P01' });
}

type Query = string | { text: string; values?: unknown[] };

/** One connection of a pool. */
class Connection extends EventEmitter {
  readonly processID = 1;
  readonly #owner: Owner | undefined = owners.getStore();
  #open = false;
  #broken = false;
  #askedForJobs = false;
  #notifications: Notification[] = [];

  async query(query: Query, given?: unknown[]): Promise<pg.QueryResult> {
    const text = typeof query === 'string' ? query : query.text;
    const values = given ?? (typeof query === 'string' ? [] : (query.values ?? []));
    const word = /^\s*(\w+)/.exec(text)?.[1]?.toLowerCase() ?? '';
    const { scheduler } = need();
    if (this.#broken) throw lost();
    if (word === 'begin' || word === 'start') {
      return await inTurn('transaction', async () => {
        scheduler.transaction = { owner: this.#owner };
        this.#open = true;
        this.#notifications = [];
        this.#askedForJobs = false;
        return await execute(text, values);
      });
    }
    if (this.#open && (word === 'commit' || word === 'rollback') && !/\bto\b/i.test(text)) {
      return await this.#end(text, word === 'commit');
    }
    if (this.#open) {
      this.#note(text, values);
      return await execute(text, values);
    }
    // What only reads is a step of its own in some runs: it costs time, and seldom shows more.
    if (!need().readsAreSteps && scheduler.transaction === null && onlyReads(text)) {
      return await execute(text, values);
    }
    return await inTurn(`statement ${text.slice(0, 60)}`, async () => {
      this.#notifications = [];
      this.#askedForJobs = false;
      const fate = this.#fate(text);
      if (fate === 'dies_before') throw this.#die();
      if (fate === 'lost_before') throw this.#lose();
      this.#note(text, values);
      const result = await execute(text, values);
      this.#committed();
      if (fate === 'dies_after') throw this.#die();
      if (fate === 'lost_after') throw this.#lose();
      return result;
    });
  }

  release(error?: unknown): void {
    if (this.#open) need().scheduler.fail(new SimulationError('A connection was given back with an open transaction.'));
    if (error) this.#broken = true;
  }

  async #end(text: string, commits: boolean): Promise<pg.QueryResult> {
    const { scheduler } = need();
    const fate = commits ? this.#fate(text) : 'ok';
    if (fate === 'dies_before' || fate === 'lost_before') {
      await execute('rollback', []);
      this.#close();
      if (fate === 'dies_before') return await forEver(this.#die());
      throw this.#lose();
    }
    const result = await execute(text, []);
    this.#close();
    if (commits && result.command === 'COMMIT') this.#committed();
    if (fate === 'dies_after') return await forEver(this.#die());
    if (fate === 'lost_after') throw this.#lose();
    scheduler.activity += 1;
    return result;
  }

  #close(): void {
    this.#open = false;
    need().scheduler.transaction = null;
  }

  #fate(text: string): DatabaseFate {
    return this.#owner === undefined ? 'ok' : need().fate(this.#owner, text);
  }

  /** The process ends here: whoever waits for the answer waits for ever. */
  #die(): Abandoned {
    if (this.#owner !== undefined) need().kill(this.#owner);
    return new Abandoned();
  }

  #lose(): Error {
    this.#broken = true;
    return lost();
  }

  /** What of a statement is to happen at the commit. */
  #note(text: string, values: unknown[]): void {
    if (text.includes(ADDS_A_JOB)) this.#askedForJobs = true;
    if (!text.includes('pg_notify')) return;
    const [channel, payloads] = values as [string, string | string[]];
    if (typeof channel !== 'string' || payloads === undefined) throw new SimulationError(`Unknown form: ${text}`);
    for (const payload of [payloads].flat()) this.#notifications.push({ channel, payload });
  }

  #committed(): void {
    if (this.#askedForJobs) need().jobsChanged();
    for (const listener of listeners) listener.hear(this.#notifications);
  }
}

/** A pool has as many connections as are asked for. */
class Pool extends EventEmitter {
  readonly options: object;
  ended = false;
  readonly totalCount = 1;
  readonly idleCount = 1;
  readonly waitingCount = 0;

  constructor(options: object) {
    super();
    this.options = options;
  }

  async connect(): Promise<Connection> {
    return new Connection();
  }

  async query(query: Query, values?: unknown[]): Promise<pg.QueryResult> {
    return await new Connection().query(query, values);
  }

  async end(): Promise<void> {
    this.ended = true;
  }
}

/** A connection by itself: the service has them to hear changes. */
class Client extends EventEmitter {
  readonly owner: Owner | undefined = owners.getStore();
  readonly queue: Notification[][] = [];
  #channels = new Set<string>();
  #over = false;

  async connect(): Promise<void> {
    listeners.push(this);
  }

  async query(text: string): Promise<void> {
    if (this.#over) throw lost();
    const channel = /^listen "(.+)"$/.exec(text)?.[1];
    if (channel !== undefined) this.#channels.add(channel);
  }

  async end(): Promise<void> {
    this.drop();
  }

  /** Takes what was committed; it arrives in a step of its own, in order. */
  hear(notifications: readonly Notification[]): void {
    const heard = notifications.filter(({ channel }) => this.#channels.has(channel));
    if (heard.length === 0) return;
    this.queue.push(heard);
    need().unheard(1);
    const { scheduler } = need();
    const arrive = () =>
      void scheduler.step('notification', () => {
        const next = this.queue.shift();
        if (next === undefined) return;
        need().unheard(-1);
        for (const { channel, payload } of next) this.emit('notification', { channel, payload });
      });
    if (this.owner === undefined) arrive();
    else owners.run(this.owner, arrive);
  }

  /** The connection breaks; what was on its way is lost. */
  break(): void {
    this.drop();
    const tell = () => this.emit('end');
    if (this.owner === undefined) tell();
    else owners.run(this.owner, tell);
  }

  drop(): void {
    this.#over = true;
    listeners = listeners.filter((listener) => listener !== this);
    for (const _ of this.queue.splice(0)) need().unheard(-1);
  }
}

function need(): DatabaseHooks {
  if (hooks === null) throw new SimulationError('No database is open.');
  return hooks;
}

const { escapeIdentifier, types, defaults } = pg;
export default { Pool, Client, escapeIdentifier, types, defaults };
