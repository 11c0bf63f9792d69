/**
 * Time as the simulation has it. The hooks put these names before those of Node in every file of the service and of the
 * sandbox, so that `Date.now()` and `setTimeout` there mean the simulated clock. Libraries keep the machine's.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

const RealDate = globalThis.Date;

/** Whose code runs: timers and queries of a process die with it. Undefined: the world outside. */
export interface Owner {
  readonly name: string;
  alive: boolean;
}

export const owners = new AsyncLocalStorage<Owner>();

interface Timer {
  id: number;
  at: number;
  owner: Owner | undefined;
  run: () => void;
  everyMs: number | null;
  /** Whether time goes on to it by itself when nothing else is to do. */
  awaited: boolean;
}

let now = 0;
const resets: (() => void)[] = [];

/** Calls back whenever a run begins. */
export function onReset(reset: () => void): void {
  resets.push(reset);
}

let lastId = 0;
let timers: Timer[] = [];

export const virtualTime = {
  now: (): number => now,
  moveTo(at: number): void {
    if (at > now) now = at;
  },
  /** Begins anew, for another run in the same process. */
  reset(at: number): void {
    now = at;
    lastId = 0;
    timers = [];
    for (const reset of resets) reset();
  },
  /** When somebody waits to be woken next; null: nobody does. */
  next(): number | null {
    let next: number | null = null;
    for (const timer of timers) {
      if (!timer.awaited || timer.owner?.alive === false) continue;
      if (next === null || timer.at < next) next = timer.at;
    }
    return next;
  },
  /** Takes the timers whose time has come, in order; one that repeats fires once, however late it is. */
  takeDue(): { owner: Owner | undefined; run: () => void }[] {
    if (timers.length === 0) return [];
    const due = timers.filter(({ at }) => at <= now);
    if (due.length === 0) return [];
    timers = timers.filter(({ at }) => at > now);
    due.sort((a, b) => a.at - b.at || a.id - b.id);
    for (const timer of due) {
      if (timer.everyMs !== null) timers.push({ ...timer, at: now + timer.everyMs });
    }
    return due.filter(({ owner }) => owner?.alive !== false);
  },
  /** Nothing of what a process had planned happens any more. */
  forget(owner: Owner): void {
    timers = timers.filter((timer) => timer.owner !== owner);
  },
};

function plan(run: () => void, ms: number, options: { everyMs?: number; awaited: boolean }): Timer {
  lastId += 1;
  const { everyMs = null, awaited } = options;
  const timer = { id: lastId, at: now + Math.max(1, ms), owner: owners.getStore(), run, everyMs, awaited };
  timers.push(timer);
  return timer;
}

/** What `setTimeout` returns, as far as the service uses it. */
class Handle {
  readonly timer: Timer;
  constructor(timer: Timer) {
    this.timer = timer;
  }
  unref(): this {
    this.timer.awaited = false;
    return this;
  }
  ref(): this {
    this.timer.awaited = this.timer.everyMs === null;
    return this;
  }
  hasRef(): boolean {
    return this.timer.awaited;
  }
}

export const setTimeout = (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]): Handle =>
  new Handle(plan(() => run(...args), ms, { awaited: true }));

export const setInterval = (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]): Handle =>
  new Handle(plan(() => run(...args), ms, { everyMs: Math.max(1, ms), awaited: false }));

export const clearTimeout = (handle: Handle | undefined): void => {
  if (handle !== undefined) timers = timers.filter((timer) => timer.id !== handle.timer.id);
};
export const clearInterval = clearTimeout;

/** As of `node:timers/promises`. */
export function sleep<T>(ms: number, value?: T, options: { signal?: AbortSignal } = {}): Promise<T> {
  return new Promise((resolve, reject) => {
    if (options.signal?.aborted) return reject(options.signal.reason);
    const handle = setTimeout(() => resolve(value as T), ms);
    options.signal?.addEventListener('abort', () => {
      clearTimeout(handle);
      reject(options.signal?.reason);
    });
  });
}

// biome-ignore lint/suspicious/noShadowRestrictedNames: it stands for the global where it is imported
export const Date = new Proxy(RealDate, {
  construct: (target, args: []) => (args.length === 0 ? new target(now) : new target(...args)),
  get: (target, name) => (name === 'now' ? virtualTime.now : Reflect.get(target, name)),
});

export const performance = { now: virtualTime.now };
