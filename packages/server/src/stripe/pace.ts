import { setTimeout as sleep } from 'node:timers/promises';

/** Lets calls through one after the other, no faster than agreed; each endpoint of Stripe's has a pace of its own. */
export interface Pace {
  /** Resolves when it is this call's turn; rejects when the signal is aborted. */
  turn(endpoint: string, signal: AbortSignal): Promise<void>;
}

const CALLS_PER_SECOND = 20;

/** @param perSecond - calls a second to each endpoint, of which Stripe takes 25 in test mode; null: as fast as they come */
export function createPace(perSecond: number | null = CALLS_PER_SECOND): Pace {
  const next = new Map<string, number>();
  return {
    turn: async (endpoint, signal) => {
      signal.throwIfAborted();
      if (perSecond === null) return;
      const now = performance.now();
      const at = Math.max(now, next.get(endpoint) ?? 0);
      next.set(endpoint, at + 1000 / perSecond);
      if (at > now) await sleep(at - now, undefined, { signal });
    },
  };
}
