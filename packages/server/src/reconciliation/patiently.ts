import { setTimeout as sleep } from 'node:timers/promises';
import { classifyStripeError } from '../stripe/errors.ts';

export interface Patience {
  /** Calls in all, the first one included. */
  attempts: number;
  /** The first pause; each further one is twice as long. */
  firstPauseMs: number;
  longestPauseMs: number;
}

export const PATIENCE: Patience = { attempts: 7, firstPauseMs: 500, longestPauseMs: 30_000 };

/**
 * Makes a call to Stripe again after what passes (429, 5xx, a broken connection), and waits as long as Stripe asks.
 * @throws the last error, when patience has run out; any other error at once
 */
export async function patiently<T>(call: () => Promise<T>, signal: AbortSignal, patience = PATIENCE): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      const { kind, retryAfterMs } = classifyStripeError(error);
      if (kind !== 'transient' || attempt >= patience.attempts) throw error;
      const growing = Math.min(patience.firstPauseMs * 2 ** (attempt - 1), patience.longestPauseMs);
      // Spread out, so that several who were refused together do not come back together.
      const pauseMs = Math.max(retryAfterMs ?? 0, growing * (0.5 + Math.random() / 2));
      await sleep(Math.min(pauseMs, 60_000), undefined, { signal });
    }
  }
}
