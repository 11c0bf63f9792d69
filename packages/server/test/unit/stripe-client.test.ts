import { Stripe } from 'stripe';
import { expect, it } from 'vitest';
import { createStripeClient } from '../../src/stripe/connections.ts';

it.each([
  ['http://[::1]:4704', '::1', '4704', 'http'],
  ['https://[2001:db8::1]', '2001:db8::1', '443', 'https'],
  ['https://stripe.example', 'stripe.example', '443', 'https'],
  ['http://127.0.0.1:80', '127.0.0.1', '80', 'http'],
])('%s is reached at %s, port %s, by %s', async (apiBase, host, port, protocol) => {
  const asked: unknown[] = [];
  const httpClient: Stripe.HttpClient = {
    getClientName: () => 'test',
    makeRequest: async (...[to, at, , , , , by]) => {
      asked.push([to, String(at), by]);
      throw new Error('Nobody is there.');
    },
  };
  const stripe = createStripeClient({ secretKey: 'sk_test_x', apiBase, transport: { httpClient, retries: 0 } });
  await expect(stripe.accounts.retrieveCurrent()).rejects.toThrow(Stripe.errors.StripeConnectionError);
  expect(asked).toEqual([[host, port, protocol]]);
});
