import { isIPv6 } from 'node:net';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { TollgateError } from '../errors.ts';

/** Limits how often an address may fail to authenticate. A request with a project's own key is never refused for it. */
export interface FailedAttempts {
  count(address: string): void;
  /** Takes back one that was counted before it was known to be good. */
  forgive(address: string): void;
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
    const window = windows.get(networkOf(address));
    return window === undefined || window.endsAt <= clock.now() ? undefined : window;
  };
  return {
    count(address) {
      const window = current(address);
      if (window === undefined) windows.set(networkOf(address), { failures: 1, endsAt: clock.now() + limits.windowMs });
      else window.failures += 1;
    },
    forgive(address) {
      const window = current(address);
      if (window !== undefined && window.failures > 0) window.failures -= 1;
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

/** Whoever has one address of IPv6 has the 2⁶⁴ beside it. */
function networkOf(address: string): string {
  if (!isIPv6(address) || address.includes('.')) return address;
  const [head = '', tail] = address.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length;
  return [...before, ...Array<string>(zeros).fill('0'), ...after].slice(0, 4).join(':');
}
