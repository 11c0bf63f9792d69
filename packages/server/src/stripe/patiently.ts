import { setTimeout as sleep } from 'node:timers/promises';
import { delayAfter, type RetrySettings } from '../platform/retry-delay.ts';
import { classifyStripeError } from './errors.ts';
import { isKeyRefused } from './refusal.ts';

export const PATIENT: RetrySettings = { maxAttempts: 7, baseMs: 500, capMs: 30_000 };
const LONGEST_PAUSE_MS = 60_000;

/**
 * Makes a call to Stripe again after what passes (429, 5xx, a broken connection), and waits as long as Stripe asks.
 * @throws the last error, when patience has run out; any other error at once
 */
export async function patiently<T>(call: () => Promise<T>, signal: AbortSignal, retry = PATIENT): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      const { kind, retryAfterMs } = classifyStripeError(error);
      // A key that is refused stays so for whoever has it in his hands.
      if (kind !== 'transient' || isKeyRefused(error) || attempt >= retry.maxAttempts) throw error;
      const pauseMs = Math.min(delayAfter(attempt, retry, retryAfterMs), LONGEST_PAUSE_MS);
      await sleep(pauseMs, undefined, { signal });
    }
  }
}
