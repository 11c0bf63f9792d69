import Stripe from 'stripe';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Sandbox, startSandbox } from '../src/index.ts';

let sandbox: Sandbox;
let stripe: Stripe;

beforeAll(async () => {
  sandbox = await startSandbox({ seed: 1 });
  stripe = new Stripe('sk_test_pages', { host: '127.0.0.1', port: sandbox.port, protocol: 'http' });
});

afterAll(() => sandbox.close());

async function newPayment(): Promise<{ id: string; url: string }> {
  const intent = await stripe.paymentIntents.create({
    amount: 1200,
    currency: 'usd',
    payment_method: 'pm_card_authenticationRequiredOnSetup',
    confirm: true,
    return_url: 'http://127.0.0.1:9/back',
  });
  return { id: intent.id, url: intent.next_action?.redirect_to_url?.url ?? '' };
}

async function answer(url: string, authentication: string): Promise<Response> {
  return await fetch(url, { method: 'POST', body: new URLSearchParams({ authentication }) });
}

test("a payment that the bank asks about shows the bank's question, and is made once it is answered", async () => {
  const { id, url } = await newPayment();
  const question = await (await fetch(url)).text();
  expect(question).toContain('Confirm with your bank');
  expect(question).toContain('$12.00');
  expect((await answer(url, 'succeeded')).status).toBe(200);
  expect(await stripe.paymentIntents.retrieve(id)).toMatchObject({ status: 'succeeded' });
  expect((await fetch(url)).status).toBe(410);
});

test('a payment that the customer refuses wants another card', async () => {
  const { id, url } = await newPayment();
  await answer(url, 'failed');
  expect(await stripe.paymentIntents.retrieve(id)).toMatchObject({
    status: 'requires_payment_method',
    last_payment_error: { code: 'payment_intent_authentication_failure' },
  });
});

test('a subscription whose first payment the bank asks about begins once it is answered', async () => {
  const product = await stripe.products.create({ name: 'Pro' });
  const price = await stripe.prices.create({
    product: product.id,
    currency: 'usd',
    unit_amount: 1200,
    recurring: { interval: 'month' },
  });
  const customer = await stripe.customers.create({ email: 'ada@example.com' });
  const method = await stripe.paymentMethods.attach('pm_card_authenticationRequiredOnSetup', { customer: customer.id });
  const subscription = await stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price: price.id }],
    default_payment_method: method.id,
  });
  expect(subscription.status).toBe('incomplete');
  const intents = await stripe.paymentIntents.list({ customer: customer.id });
  const url = intents.data[0]?.next_action?.redirect_to_url?.url ?? '';
  expect((await answer(url, 'succeeded')).status).toBe(200);
  expect(await stripe.subscriptions.retrieve(subscription.id)).toMatchObject({ status: 'active' });
});

test('a payment that nobody made is not found', async () => {
  expect((await fetch(`${sandbox.url}/authenticate/pi_none`)).status).toBe(404);
});
