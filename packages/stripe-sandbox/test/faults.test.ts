import Stripe from 'stripe';
import { expect, test } from 'vitest';
import { clientOf, sandboxWithClient } from './support/sandbox.ts';

async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => null,
    (error: unknown) => error,
  );
}

test('picked requests fail with a 500, so many times, and others do not', async () => {
  const { stripe, control } = await sandboxWithClient();
  control.failRequests({ method: 'POST', path: '/v1/customers', times: 2, outcome: 500 });
  expect((await stripe.customers.list()).data).toEqual([]);
  expect(await errorOf(stripe.customers.create({}))).toBeInstanceOf(Stripe.errors.StripeAPIError);
  expect(await errorOf(stripe.customers.create({}))).toMatchObject({ statusCode: 500 });
  await stripe.customers.create({});
  expect((await stripe.customers.list()).data).toHaveLength(1);
});

test('a 429 says when to come back', async () => {
  const { stripe, control } = await sandboxWithClient();
  control.failRequests({ times: 1, outcome: 429, retryAfter: 7 });
  const error = await errorOf(stripe.customers.list());
  expect(error).toBeInstanceOf(Stripe.errors.StripeRateLimitError);
  expect((error as Stripe.errors.StripeError).headers?.['retry-after']).toBe('7');
});

test('a rate limit lets so many requests through', async () => {
  const { stripe, control } = await sandboxWithClient();
  control.setFaults({ rateLimit: 3 });
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => errorOf(stripe.customers.list())));
  expect(outcomes.filter((error) => error instanceof Stripe.errors.StripeRateLimitError).length).toBeGreaterThan(0);
  expect(outcomes.filter((error) => error === null).length).toBeGreaterThan(0);
});

test('a lost answer leaves the work done, and the client’s own retry finds it by its idempotency key', async () => {
  const { sandbox, control } = await sandboxWithClient();
  control.failRequests({ method: 'POST', times: 1, outcome: 'lost' });
  const stripe = clientOf(sandbox, { maxNetworkRetries: 1 });
  const customer = await stripe.customers.create({ name: 'Ann' });
  expect((await stripe.customers.list()).data.map(({ id }) => id)).toEqual([customer.id]);
  expect(customer.lastResponse.headers['idempotent-replayed']).toBe('true');
});

test('a request that hangs runs into the client’s time limit, and does nothing', async () => {
  const { sandbox, stripe, control } = await sandboxWithClient();
  control.failRequests({ path: '/v1/customers', times: 1, outcome: 'hang' });
  const impatient = clientOf(sandbox, { timeout: 100 });
  expect(await errorOf(impatient.customers.create({}))).toBeInstanceOf(Stripe.errors.StripeConnectionError);
  expect((await stripe.customers.list()).data).toEqual([]);
});

test('random errors are the same in every run with the same seed', async () => {
  const run = async () => {
    const { stripe, control } = await sandboxWithClient();
    control.setFaults({ errorRate: 0.5, seed: 42 });
    const fates: boolean[] = [];
    for (let index = 0; index < 20; index += 1) fates.push((await errorOf(stripe.customers.list())) === null);
    control.clearFaults();
    expect(await errorOf(stripe.customers.list())).toBeNull();
    return fates;
  };
  const fates = await run();
  expect(new Set(fates).size).toBe(2);
  expect(await run()).toEqual(fates);
});

test('the same seed gives the same ids', async () => {
  const make = async () => {
    const { stripe } = await sandboxWithClient({ seed: 5 });
    return (await stripe.customers.create({})).id;
  };
  expect(await make()).toBe(await make());
});

test('a client goes by what a 429 says about trying again', async () => {
  const { sandbox, control } = await sandboxWithClient();
  const stripe = clientOf(sandbox, { maxNetworkRetries: 1 });
  control.failRequests({ times: 1, outcome: 429, shouldRetry: true });
  await expect(stripe.customers.list()).resolves.toBeDefined();
  control.failRequests({ times: 1, outcome: 429 });
  await expect(stripe.customers.list()).rejects.toBeInstanceOf(Stripe.errors.StripeRateLimitError);
  control.failRequests({ times: 1, outcome: 500, shouldRetry: false });
  await expect(stripe.customers.list()).rejects.toMatchObject({ statusCode: 500 });
});

test('a second request under a key whose first is still under way is a conflict', async () => {
  const { stripe, control } = await sandboxWithClient();
  control.setFaults({ latencyMs: 50 });
  const make = () => stripe.customers.create({ name: 'Ann' }, { idempotencyKey: 'once' });
  const [first, second] = await Promise.allSettled([make(), make()]);
  expect([first, second].map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  const refused = [first, second].find(({ status }) => status === 'rejected') as PromiseRejectedResult;
  expect(refused.reason).toMatchObject({ statusCode: 409, code: 'idempotency_key_in_use' });
  control.clearFaults();
  expect((await make()).lastResponse.headers['idempotent-replayed']).toBe('true');
});
