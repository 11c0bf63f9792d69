/** How whole accounts are gone through. */
import type { RetrySettings } from '../platform/retry-delay.ts';
import { createPace, type Pace } from './pace.ts';
import { PATIENT, patiently } from './patiently.ts';

export interface Manner {
  /** Shared by everybody in the process who goes through whole accounts: Stripe counts the account's calls. */
  pace: Pace;
  /** Objects a page, at most 100. */
  pageSize: number;
  /** Of single calls to Stripe. */
  retry: RetrySettings;
}

/** Objects looked at side by side: enough to be paced by Stripe's limit and not by its latency. */
export const SIDE_BY_SIDE = 4;

/** The manner of whoever is told nothing else: at the usual pace, 100 objects a page. */
export function mannerOf({ pace = createPace(), pageSize = 100, retry = PATIENT }: Partial<Manner>): Manner {
  return { pace, pageSize, retry };
}

/**
 * A call to Stripe, at the pace of its endpoint and again after what passes. An endpoint is whatever its callers call it;
 * those who call it the same share its pace.
 */
export type Ask = <T>(endpoint: string, call: () => Promise<T>) => Promise<T>;

/** How one account is asked: at the pace of each endpoint, and again after what passes. */
export function askingOf(
  { pace, retry, signal }: Pick<Manner, 'pace' | 'retry'> & { signal: AbortSignal },
  connectionId: string,
): Ask {
  return (endpoint, call) =>
    patiently(
      async () => {
        await pace.turn(`${connectionId}/${endpoint}`, signal);
        return await call();
      },
      signal,
      retry,
    );
}
