import type { RetryDelays } from '../platform/retry-delay.ts';

export interface RetrySettings extends RetryDelays {
  /** So many failures make a dead letter. */
  maxAttempts: number;
}

/** About three days of trying, as long as Stripe itself tries to deliver: 2 s, 4 s, 8 s… and then every hour. */
export const DEFAULT_RETRY: RetrySettings = { baseMs: 2_000, capMs: 60 * 60 * 1000, maxAttempts: 84 };

/** Parked events are woken when what they wait for appears; this is for what nobody noticed. */
export const PARKED_RETRY: RetryDelays = {
  baseMs: 60 * 60 * 1000,
  capMs: 24 * 60 * 60 * 1000,
};
