import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { TollgateError } from '../errors.ts';

/** Limits how often an address may fail to authenticate. A request with a good key is never refused for it. */
export interface FailedAttempts {
  count(address: string): void;
  exceeded(address: string): boolean;
  refusal(address: string): TollgateError;
}

/**
 * Counts in fixed windows, for at most 10,000 addresses.
 * @param limits.max - failures that an address may have in `limits.windowMs`
 */
export function createFailedAttempts(clock: Clock, limits: { max: number; windowMs: number }): FailedAttempts {
  const windows = new LRUCache<string, { failures: number; endsAt: number }>({ max: 10_000 });
  const current = (address: string) => {
    const window = windows.get(address);
    return window === undefined || window.endsAt <= clock.now() ? undefined : window;
  };
  return {
    count(address) {
      const window = current(address);
      if (window === undefined) windows.set(address, { failures: 1, endsAt: clock.now() + limits.windowMs });
      else window.failures += 1;
    },
    exceeded: (address) => (current(address)?.failures ?? 0) >= limits.max,
    refusal(address) {
      const seconds = Math.max(1, Math.ceil(((current(address)?.endsAt ?? 0) - clock.now()) / 1000));
      return new TollgateError(
        'rate_limited',
        `Too many requests with a bad key from this address. Wait ${seconds} s, and check the key.`,
        [],
        { retry_after: seconds },
      );
    },
  };
}
