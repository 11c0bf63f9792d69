export interface RetryDelays {
  /** The wait after the first failure, in milliseconds; doubled with each further one. */
  baseMs: number;
  /** The longest wait. */
  capMs: number;
}

export interface RetrySettings extends RetryDelays {
  /** Tries in all, the first one included. */
  maxAttempts: number;
}

/**
 * How long to wait after the nth failure, in milliseconds: between half and all of the doubled wait, so that what
 * failed together is not tried together.
 * @param retryAfterMs - what the other side asks for; never less than that is waited
 * @param random - 0 to 1
 */
export function delayAfter(
  failures: number,
  { baseMs, capMs }: RetryDelays,
  retryAfterMs = 0,
  random = Math.random(),
): number {
  const full = Math.min(capMs, baseMs * 2 ** Math.min(failures - 1, 40));
  const wait = full / 2 + (full / 2) * random;
  return Math.round(retryAfterMs > wait ? retryAfterMs + (baseMs / 2) * random : wait);
}
