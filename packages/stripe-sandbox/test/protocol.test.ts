import Stripe from 'stripe';
import { expect, test } from 'vitest';
import { clientOf, sandboxWithClient } from './support/sandbox.ts';

async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => null,
    (error: unknown) => error,
  );
}

test('what does not exist is a 404 with resource_missing, in the class that Stripe has for it', async () => {
  const { stripe } = await sandboxWithClient();
  const error = await errorOf(stripe.subscriptions.retrieve('sub_nothing'));
  expect(error).toBeInstanceOf(Stripe.errors.StripeInvalidRequestError);
  expect(error).toMatchObject({
    statusCode: 404,
    code: 'resource_missing',
    message: "No such subscription: 'sub_nothing'",
  });
  expect((error as Stripe.errors.StripeError).requestId).toMatch(/^req_/);
});

test('something missing that a parameter names is a 400 that names the parameter', async () => {
  const { stripe } = await sandboxWithClient();
  const error = await errorOf(stripe.prices.create({ currency: 'usd', unit_amount: 1, product: 'prod_nothing' }));
  expect(error).toMatchObject({ statusCode: 400, code: 'resource_missing', param: 'product' });
});

test('unknown parameters are refused by name, nested ones too', async () => {
  const { stripe } = await sandboxWithClient();
  const params = { name: 'Ann', colour: 'red' } as Stripe.CustomerCreateParams;
  expect(await errorOf(stripe.customers.create(params))).toMatchObject({
    statusCode: 400,
    code: 'parameter_unknown',
    param: 'colour',
  });
  const nested = { invoice_settings: { colour: 'red' } } as Stripe.CustomerCreateParams;
  expect(await errorOf(stripe.customers.create(nested))).toMatchObject({ param: 'invoice_settings[colour]' });
});

test('missing parameters are refused by name', async () => {
  const { stripe } = await sandboxWithClient();
  const error = await errorOf(stripe.products.create({} as Stripe.ProductCreateParams));
  expect(error).toMatchObject({ statusCode: 400, code: 'parameter_missing', param: 'name' });
});

test('every refusal has an envelope, for paths that do not exist and requests without a key as well', async () => {
  const { sandbox } = await sandboxWithClient();
  const unknown = await fetch(`${sandbox.url}/v1/rockets`, { headers: { Authorization: 'Bearer sk_test_1' } });
  expect(unknown.status).toBe(404);
  expect(await unknown.json()).toMatchObject({ error: { type: 'invalid_request_error' } });
  const bare = await fetch(`${sandbox.url}/v1/customers`);
  expect(bare.status).toBe(401);
  expect(await bare.json()).toMatchObject({ error: { type: 'invalid_request_error' } });
  const elsewhere = await fetch(`${sandbox.url}/nowhere`, { method: 'PUT' });
  expect(elsewhere.status).toBe(404);
  expect(await elsewhere.json()).toMatchObject({ error: { type: 'invalid_request_error' } });
});

test('live keys are refused', async () => {
  const { sandbox } = await sandboxWithClient();
  const stripe = new Stripe('sk_live_real', {
    host: '127.0.0.1',
    port: sandbox.port,
    protocol: 'http',
    maxNetworkRetries: 0,
  });
  expect(await errorOf(stripe.customers.list())).toBeInstanceOf(Stripe.errors.StripeAuthenticationError);
});

test('a repeated request under its idempotency key is answered again, and does nothing again', async () => {
  const { stripe } = await sandboxWithClient();
  const options = { idempotencyKey: 'once' };
  const first = await stripe.customers.create({ name: 'Ann' }, options);
  const second = await stripe.customers.create({ name: 'Ann' }, options);
  expect(second.id).toBe(first.id);
  expect(second.lastResponse.headers['idempotent-replayed']).toBe('true');
  expect((await stripe.customers.list()).data).toHaveLength(1);
});

test('an idempotency key that was used for something else is refused', async () => {
  const { stripe } = await sandboxWithClient();
  await stripe.customers.create({ name: 'Ann' }, { idempotencyKey: 'k' });
  const error = await errorOf(stripe.customers.create({ name: 'Bob' }, { idempotencyKey: 'k' }));
  expect(error).toBeInstanceOf(Stripe.errors.StripeIdempotencyError);
  expect(error).toMatchObject({ statusCode: 400 });
});

test('a refusal is replayed as well, but parameters that cannot be read use no key up', async () => {
  const { stripe } = await sandboxWithClient();
  const options = { idempotencyKey: 'k' };
  const params = { customer: 'cus_nothing' };
  expect(await errorOf(stripe.billingPortal.sessions.create(params, options))).toMatchObject({
    code: 'resource_missing',
  });
  const again = await errorOf(stripe.billingPortal.sessions.create(params, options));
  expect((again as Stripe.errors.StripeError).headers?.['idempotent-replayed']).toBe('true');
  const wrong = { colour: 'red' } as Stripe.CustomerCreateParams;
  await errorOf(stripe.customers.create(wrong, { idempotencyKey: 'other' }));
  const after = await stripe.customers.create({ name: 'Ann' }, { idempotencyKey: 'other' });
  expect(after.name).toBe('Ann');
});

test('lists are paged newest first, both ways, until all has been seen', async () => {
  const { stripe } = await sandboxWithClient();
  const made: string[] = [];
  for (let index = 0; index < 25; index += 1) made.unshift((await stripe.customers.create({})).id);
  const seen: string[] = [];
  await stripe.customers.list({ limit: 10 }).autoPagingEach((customer) => {
    seen.push(customer.id);
  });
  expect(seen).toEqual(made);
  const back = await stripe.customers.list({ limit: 10, ending_before: String(made[20]) });
  expect(back.data.map(({ id }) => id)).toEqual(made.slice(10, 20));
  expect(back.has_more).toBe(true);
});

test('both cursors at once, an unknown cursor and a limit out of bounds are refused', async () => {
  const { stripe } = await sandboxWithClient();
  const { id } = await stripe.customers.create({});
  expect(await errorOf(stripe.customers.list({ starting_after: id, ending_before: id }))).toMatchObject({
    statusCode: 400,
  });
  expect(await errorOf(stripe.customers.list({ starting_after: 'cus_nothing' }))).toMatchObject({
    code: 'resource_missing',
  });
  expect(await errorOf(stripe.customers.list({ limit: 101 }))).toMatchObject({ param: 'limit' });
});

test('what cannot be expanded is refused', async () => {
  const { stripe } = await sandboxWithClient();
  const { id } = await stripe.customers.create({});
  expect(await errorOf(stripe.customers.retrieve(id, { expand: ['colour'] }))).toMatchObject({ param: 'expand' });
});

test('what can be expanded but is not there stays away', async () => {
  const { stripe } = await sandboxWithClient();
  const coupon = await stripe.coupons.create({ percent_off: 5, duration: 'once', expand: ['applies_to'] });
  expect(coupon).not.toHaveProperty('applies_to');
});

test('the API version that was asked for is said back', async () => {
  const { sandbox } = await sandboxWithClient();
  const list = await clientOf(sandbox).customers.list();
  expect(list.lastResponse.apiVersion).toBe('2026-10-28.endive');
});

test('a sandbox is an account of its own, and the same one for the same seed', async () => {
  const accountOf = async (seed: number) => {
    const { stripe } = await sandboxWithClient({ seed });
    return (await stripe.accounts.retrieveCurrent()).id;
  };
  const first = await accountOf(1);
  expect(first).toMatch(/^acct_1\w{15}$/);
  expect(await accountOf(1)).toBe(first);
  expect(await accountOf(2)).not.toBe(first);
});
