export interface RetrySettings {
  /** The wait after the first failure, in milliseconds; doubled with each further one. */
  baseMs: number;
  /** The longest wait. */
  capMs: number;
  /** So many failures make a dead letter. */
  maxAttempts: number;
}

/** About three days of trying, as long as Stripe itself tries to deliver: 2 s, 4 s, 8 s… and then every hour. */
export const DEFAULT_RETRY: RetrySettings = { baseMs: 2_000, capMs: 60 * 60 * 1000, maxAttempts: 84 };

/** Parked events are woken when what they wait for appears; this is for what nobody noticed. */
export const PARKED_RETRY: Omit<RetrySettings, 'maxAttempts'> = {
  baseMs: 60 * 60 * 1000,
  capMs: 24 * 60 * 60 * 1000,
};

/**
 * How long to wait after the nth failure, in milliseconds: between half and all of the doubled wait, so that what
 * failed together is not tried together.
 * @param retryAfterMs - what Stripe asks for; never less than that is waited
 * @param random - 0 to 1
 */
export function delayAfter(
  failures: number,
  { baseMs, capMs }: Pick<RetrySettings, 'baseMs' | 'capMs'>,
  retryAfterMs = 0,
  random = Math.random(),
): number {
  const full = Math.min(capMs, baseMs * 2 ** Math.min(failures - 1, 40));
  const wait = full / 2 + (full / 2) * random;
  return Math.round(retryAfterMs > wait ? retryAfterMs + (baseMs / 2) * random : wait);
}
