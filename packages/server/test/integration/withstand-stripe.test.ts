/** The whole service on the sandbox, while Stripe's deliveries and answers go wrong in every way at once. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

let tollgate: Tollgate;
let priceId: string;

beforeAll(async () => {
  tollgate = await startTollgate({ stripeTimeoutMs: 1_000 });
  const { secret } = tollgate;
  await secret.post('/features', { code: 'pro', name: 'Pro', type: 'boolean' });
  const product = await secret.post('/products', { name: 'Pro', features: [{ code: 'pro' }] });
  const recurring = { interval: 'month' };
  const price = await secret.post('/prices', {
    product: product.body.id,
    currency: 'eur',
    unit_amount: 900,
    recurring,
  });
  expect(price.status).toBe(201);
  priceId = price.body.id;
});

afterAll(() => tollgate?.close());

async function buy(customerId: string): Promise<string> {
  const made = await tollgate.secret.post('/checkout/sessions', {
    customer_id: customerId,
    price: priceId,
    success_url: 'https://app.example/done',
    cancel_url: 'https://app.example/back',
  });
  expect(made.status).toBe(201);
  await fetch(`${made.body.url}/pay`, {
    method: 'POST',
    redirect: 'manual',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'card_number=4242424242424242',
  });
  const session = await tollgate.stripe.checkout.sessions.retrieve(made.body.id);
  return session.subscription as string;
}

async function entitled(customerId: string): Promise<boolean> {
  return (await tollgate.secret.get(`/check?customer_id=${customerId}&feature=pro`)).body.entitled;
}

async function open(): Promise<unknown[]> {
  const { rows } = await tollgate.database.pool.query(
    "select id, type, status, reason, attempts from tollgate.events where status not in ('processed', 'ignored')",
  );
  return rows;
}

test('events twice, late and in any order, and answers that fail, are slow or never come: everybody has what they pay for', async () => {
  const { sandbox, stripe, until } = tollgate;
  const customers = Array.from({ length: 8 }, (_, n) => `u_${n}`);
  sandbox.control.setFaults({ duplicate: 0.5, shuffle: 1, delayMs: 50, seed: 7 });
  const path = '/v1/subscriptions/';
  sandbox.control.failRequests({ method: 'GET', path, times: 3, outcome: 500 });
  sandbox.control.failRequests({ method: 'GET', path, times: 2, outcome: 429, retryAfter: 1 });
  sandbox.control.failRequests({ method: 'GET', path, times: 2, outcome: 'hang' });

  const subscriptions = new Map<string, string>();
  for (const customerId of customers) subscriptions.set(customerId, await buy(customerId));

  // Half of them leave again, some change their mind at once.
  for (const [n, id] of [...subscriptions.values()].entries()) {
    if (n % 2 === 0) await stripe.subscriptions.cancel(id);
    if (n % 4 === 1) {
      await stripe.subscriptions.update(id, { cancel_at_period_end: true });
      await stripe.subscriptions.update(id, { cancel_at_period_end: false });
    }
  }
  await sandbox.control.settled();
  await until(async () => (await open()).length === 0, 40_000, 'every event is processed or ignored');
  expect(sandbox.control.state().plannedRequestFailures).toEqual([]);
  const access = await Promise.all(customers.map(entitled));
  expect(access).toEqual(customers.map((_, n) => n % 2 === 1));
  const { rows } = await tollgate.database.pool.query('select count(*)::int as count from tollgate.facts');
  expect(rows).toEqual([{ count: customers.length }]);
}, 90_000);
