import Stripe from 'stripe';
import { describe, expect, test } from 'vitest';
import { patiently } from '../../src/stripe/patiently.ts';

describe('a call to Stripe that is made patiently', () => {
  const retry = { maxAttempts: 3, baseMs: 1, capMs: 2 };
  const going = new AbortController().signal;
  const slowDown = { type: 'rate_limit_error', message: 'Slow down.' } as const;
  const busy = () => new Stripe.errors.StripeRateLimitError(slowDown);

  /** Fails so often before it answers; counts how often it was made. */
  function failing(times: number, error: () => Error) {
    const call = async () => {
      call.made += 1;
      if (call.made <= times) throw error();
      return 'answer';
    };
    call.made = 0;
    return call;
  }

  test('is made again after a refusal that passes', async () => {
    const call = failing(2, busy);
    expect(await patiently(call, going, retry)).toBe('answer');
    expect(call.made).toBe(3);
  });

  test('waits as long as Stripe asks for, however short its own pauses are', async () => {
    const call = failing(
      1,
      () => new Stripe.errors.StripeRateLimitError({ ...slowDown, headers: { 'retry-after': '0.2' } }),
    );
    const begun = performance.now();
    expect(await patiently(call, going, retry)).toBe('answer');
    // Timers may fire a millisecond early.
    expect(performance.now() - begun).toBeGreaterThanOrEqual(200 - 2);
  });

  test('fails when patience has run out', async () => {
    const call = failing(9, busy);
    await expect(patiently(call, going, retry)).rejects.toThrow('Slow down.');
    expect(call.made).toBe(3);
  });

  test('fails at once for what trying again does not help', async () => {
    const call = failing(9, () => new Error('A mistake of ours.'));
    await expect(patiently(call, going, retry)).rejects.toThrow('A mistake of ours.');
    expect(call.made).toBe(1);
  });

  test('fails at once when Stripe does not take the key', async () => {
    const refused = () => new Stripe.errors.StripeAuthenticationError({ type: 'api_error', message: 'Who are you?' });
    const call = failing(9, refused);
    await expect(patiently(call, going, retry)).rejects.toThrow('Who are you?');
    expect(call.made).toBe(1);
  });

  test('is given up when the process stops', async () => {
    const stop = new AbortController();
    const call = failing(9, busy);
    const made = patiently(call, stop.signal, {
      ...retry,
      maxAttempts: 100,
      baseMs: 60_000,
      capMs: 60_000,
    });
    stop.abort();
    await expect(made).rejects.toThrow();
    expect(call.made).toBe(1);
  });
});
