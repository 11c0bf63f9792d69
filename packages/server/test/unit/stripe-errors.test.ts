/** What stands behind an error of Stripe's, as the SDK raises it from the bytes of a real answer. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createStripeClient } from '../../src/stripe/connections.ts';
import { classifyStripeError } from '../../src/stripe/errors.ts';
import { isMissing, refusalOf } from '../../src/stripe/refusal.ts';
import type { Stripe } from '../../src/stripe/types.ts';

interface Answer {
  status: number;
  headers?: Record<string, string>;
  body: object | string;
}

let server: Server;
let stripe: Stripe;
let answer: Answer | 'cut' | 'silence';
let calls = 0;

beforeAll(async () => {
  server = createServer((request, response) => {
    calls += 1;
    request.resume();
    if (answer === 'cut') request.socket.destroy();
    else if (answer !== 'silence') {
      const { status, headers = {}, body } = answer;
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  stripe = createStripeClient({ secretKey: 'sk_test_x', apiBase: `http://127.0.0.1:${port}`, timeoutMs: 300 });
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function thrown(given: typeof answer): Promise<unknown> {
  answer = given;
  calls = 0;
  return await stripe.subscriptions.retrieve('sub_1').then(
    () => undefined,
    (error: unknown) => error,
  );
}

const envelope = (type: string, more: object = {}) => ({ error: { type, message: 'No.', ...more } });

describe('an error of Stripe’s', () => {
  it('that says the object is missing is told from any other 404', async () => {
    const missing = await thrown({
      status: 404,
      body: envelope('invalid_request_error', { code: 'resource_missing', param: 'id' }),
    });
    expect(classifyStripeError(missing)).toEqual({ kind: 'missing' });
    expect(isMissing(missing)).toBe(true);
    const wrongPath = await thrown({ status: 404, body: envelope('invalid_request_error') });
    expect(classifyStripeError(wrongPath)).toEqual({ kind: 'permanent' });
    expect(isMissing(wrongPath)).toBe(false);
  });

  it.each<[string, typeof answer]>([
    ['too many calls', { status: 429, body: envelope('invalid_request_error', { code: 'rate_limit' }) }],
    ['a failure of Stripe’s', { status: 500, body: envelope('api_error') }],
    ['an answer that is no JSON', { status: 502, body: '<html>Bad gateway</html>' }],
    ['an answer that is no object', { status: 200, body: '"OK"' }],
    ['an answer that is nothing', { status: 200, body: 'null' }],
    ['a refusal that is none', { status: 502, body: { error: 5 } }],
    ['a key that is being replaced', { status: 401, body: envelope('invalid_request_error') }],
    ['another call under way', { status: 409, body: envelope('idempotency_error') }],
    ['an object that is locked', { status: 400, body: envelope('invalid_request_error', { code: 'lock_timeout' }) }],
    ['a connection that breaks', 'cut'],
    ['no answer in time', 'silence'],
  ])('of %s passes', async (_what, given) => {
    expect(classifyStripeError(await thrown(given))).toMatchObject({ kind: 'transient' });
  });

  it.each<[string, typeof answer]>([
    ['a parameter', { status: 400, body: envelope('invalid_request_error', { code: 'parameter_unknown' }) }],
    ['a card', { status: 402, body: envelope('card_error', { code: 'card_declined' }) }],
    ['a permission', { status: 403, body: envelope('invalid_request_error') }],
  ])('about %s does not', async (_what, given) => {
    expect(classifyStripeError(await thrown(given))).toEqual({ kind: 'permanent' });
  });

  it('that asks for patience says for how long, and is not tried again by the SDK on its own', async () => {
    const body = envelope('invalid_request_error', { code: 'rate_limit' });
    const headers = { 'retry-after': '7' };
    expect(classifyStripeError(await thrown({ status: 429, headers, body }))).toEqual({
      kind: 'transient',
      retryAfterMs: 7000,
    });
    expect(calls).toBe(1);
    await thrown({ status: 429, headers: { ...headers, 'stripe-should-retry': 'true', 'retry-after': '0' }, body });
    expect(calls).toBe(2);
  });

  it('becomes a refusal without a key in its words', async () => {
    const message = 'Invalid parameter near sk_live_1234567890abcdef';
    const refusal = refusalOf(await thrown({ status: 400, body: envelope('invalid_request_error', { message }) }));
    expect(refusal).toMatchObject({ code: 'stripe_refused', message: expect.not.stringContaining('sk_live_1234') });
  });
});

it('what did not come from Stripe is a mistake of ours', () => {
  expect(classifyStripeError(new TypeError('undefined is not a function'))).toEqual({ kind: 'permanent' });
  expect(isMissing(new Error('resource_missing'))).toBe(false);
});
