import type { RetryDelays, RetrySettings } from '../platform/retry-delay.ts';

/**
 * What fails as often as that is a dead letter. About three days of trying, as long as Stripe itself tries to deliver:
 * 2 s, 4 s, 8 s… and then every hour.
 */
export const DEFAULT_RETRY: RetrySettings = { baseMs: 2_000, capMs: 60 * 60 * 1000, maxAttempts: 84 };

/** Parked events are woken when what they wait for appears; this is for what nobody noticed. */
export const PARKED_RETRY: RetryDelays = {
  baseMs: 60 * 60 * 1000,
  capMs: 24 * 60 * 60 * 1000,
};
