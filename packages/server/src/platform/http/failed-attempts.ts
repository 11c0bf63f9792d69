import { hash } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { TollgateError } from '../errors.ts';

/**
 * Limits how often an address may fail to authenticate. Past the limit bad keys get 429. A key that could be
 * guessed gets it too, good or not, but only for what looks like guessing: different keys of its kind,
 * not one wrong key that comes again and again. A request with a project's own key is never refused.
 */
export interface FailedAttempts {
  /** @param guess - the key that was sent, if it is of the kind that could be guessed; null otherwise */
  count(address: string, guess: string | null): void;
  /** Takes back one that was counted before it was known to be good. */
  forgive(address: string, guess: string): void;
  exceeded(address: string): boolean;
  isGuessing(address: string): boolean;
  refusal(address: string): TollgateError;
}

interface Window {
  failures: number;
  /** The different keys that could have been guesses, as parts of their hashes. */
  guesses: Set<number>;
  endsAt: number;
}

export interface FailedAttemptLimits {
  /** Failures that an address may have in a window, whatever keys it sends. */
  max: number;
  /** Different keys that could have been guesses. Default: as many. */
  maxGuesses?: number;
  windowMs: number;
}

/** Counts in fixed windows, for at most 10,000 addresses. */
export function createFailedAttempts(clock: Clock, limits: FailedAttemptLimits): FailedAttempts {
  const { max, maxGuesses = max } = limits;
  const windows = new LRUCache<string, Window>({ max: 10_000 });
  const current = (address: string) => {
    const window = windows.get(networkOf(address));
    return window === undefined || window.endsAt <= clock.now() ? undefined : window;
  };
  return {
    count(address, guess) {
      const window = current(address) ?? { failures: 0, guesses: new Set(), endsAt: clock.now() + limits.windowMs };
      if (window.failures === 0) windows.set(networkOf(address), window);
      window.failures += 1;
      if (guess !== null && window.guesses.size < maxGuesses) window.guesses.add(partOfHash(guess));
    },
    forgive(address, guess) {
      const window = current(address);
      if (window === undefined) return;
      if (window.failures > 0) window.failures -= 1;
      window.guesses.delete(partOfHash(guess));
    },
    exceeded: (address) => (current(address)?.failures ?? 0) >= max,
    isGuessing: (address) => (current(address)?.guesses.size ?? 0) >= maxGuesses,
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

/** Enough to tell keys apart, and of no use to whoever reads the memory. */
function partOfHash(key: string): number {
  return hash('sha256', key, 'buffer').readUIntBE(0, 6);
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
