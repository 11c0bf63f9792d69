/** How whole accounts are gone through. */
import type { Look } from './kind.ts';
import { createPace, type Pace } from './pace.ts';
import { PATIENCE, type Patience, patiently } from './patiently.ts';

export interface Manner {
  /** Shared by everybody in the process who goes through whole accounts: Stripe counts the account's calls. */
  pace: Pace;
  /** Objects a page, at most 100. */
  pageSize: number;
  patience: Patience;
}

/** Objects looked at side by side: enough to be paced by Stripe's limit and not by its latency. */
export const SIDE_BY_SIDE = 4;

/** The manner of whoever is told nothing else: at the usual pace, 100 objects a page. */
export function mannerOf({ pace = createPace(), pageSize = 100, patience = PATIENCE }: Partial<Manner>): Manner {
  return { pace, pageSize, patience };
}

/** How one account is asked: at the pace of each endpoint, and again after what passes. */
export function askingOf(
  { pace, patience, signal }: Pick<Manner, 'pace' | 'patience'> & { signal: AbortSignal },
  connectionId: string,
): Look['ask'] {
  return (endpoint, call) =>
    patiently(
      async () => {
        await pace.turn(`${connectionId}/${endpoint}`, signal);
        return await call();
      },
      signal,
      patience,
    );
}
