import { describe, expect, test } from 'vitest';
import { createPace } from '../../src/stripe/pace.ts';

describe('calls to Stripe at a pace', () => {
  const going = new AbortController().signal;
  /** Timers may fire a millisecond early. */
  const EARLY_MS = 2;

  async function lastOf(calls: number, perSecond?: number): Promise<number> {
    const pace = createPace(perSecond);
    const begun = performance.now();
    await Promise.all(Array.from({ length: calls }, () => pace.turn('default/price', going)));
    return performance.now() - begun;
  }

  test('come one after the other, however many are asked for at once', async () => {
    expect(await lastOf(11, 100)).toBeGreaterThanOrEqual(100 - EARLY_MS);
  });

  test('stay below the twenty-five a second that Stripe takes where nothing else is said', async () => {
    expect(await lastOf(4)).toBeGreaterThan(3 * (1000 / 25));
  });

  test('to another endpoint do not wait for them', async () => {
    const pace = createPace(1);
    await pace.turn('default/price', going);
    const stop = new AbortController();
    const held = pace.turn('default/price', stop.signal);
    await pace.turn('default/product', going);
    stop.abort();
    await expect(held).rejects.toThrow();
  });
});
