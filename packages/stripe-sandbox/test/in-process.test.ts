import Stripe from 'stripe';
import { expect, onTestFinished, test } from 'vitest';
import { type DeliveryRequest, type OpenOptions, openSandbox, Unanswered } from '../src/index.ts';
import { boughtSubscription, DAY } from './support/shop.ts';

const SECRET = 'whsec_test_secret';
const BEGIN = Date.UTC(2027, 0, 31, 12) / 1000;

/** A sandbox of which every bit is determined, with the official client on its `fetch`, and what it delivered. */
async function heldSandbox(options: OpenOptions = {}, status: () => number = () => 200) {
  const delivered: DeliveryRequest[] = [];
  const sandbox = await openSandbox({
    seed: 11,
    clock: { at: BEGIN, frozen: true },
    webhooks: [{ url: 'app', secret: SECRET }],
    deliver: async (request) => {
      delivered.push(request);
      return { status: status() };
    },
    ...options,
  });
  onTestFinished(() => sandbox.close());
  let calls = 0;
  // The client makes up an idempotency key for every POST, which would be the one thing here that nothing determines.
  const numbered: typeof fetch = (input, init) => {
    calls += 1;
    const headers = { ...Object.fromEntries(new Headers(init?.headers)), 'idempotency-key': `call-${calls}` };
    return sandbox.fetch(input, { ...init, headers });
  };
  const stripe = new Stripe('sk_test_held', {
    httpClient: Stripe.createFetchHttpClient(numbered),
    maxNetworkRetries: 0,
    telemetry: false,
  });
  return { sandbox, stripe, control: sandbox.control, delivered };
}

test('the same calls give the same answers and the same webhooks, byte for byte', async () => {
  const transcript = async (seed: number) => {
    const { sandbox, stripe, control, delivered } = await heldSandbox({ seed });
    control.setFaults({ duplicate: 0.3, drop: 0.1 });
    await boughtSubscription(stripe, control);
    control.advance({ days: 40 });
    await control.settled();
    const lists = ['events', 'invoices', 'payment_methods', 'subscriptions', 'charges'].map((name) =>
      sandbox.handle({ method: 'GET', path: `/v1/${name}?limit=100`, headers: { Authorization: 'Bearer sk_test_a' } }),
    );
    return JSON.stringify([await Promise.all(lists), delivered]);
  };
  const first = await transcript(5);
  expect(first.length).toBeGreaterThan(10_000);
  const again = await transcript(5);
  // Not `toBe`: what differs is to be told, and not the megabyte around it.
  const differs = [...first].findIndex((letter, index) => letter !== again[index]);
  expect(differs < 0 ? '' : again.slice(Math.max(0, differs - 200), differs + 200)).toBe('');
  expect(again).toHaveLength(first.length);
  expect((await transcript(6)) === first).toBe(false);
});

test('a frozen clock stands where it was put until it is moved', async () => {
  const { stripe, control } = await heldSandbox({ clock: { at: new Date(BEGIN * 1000), frozen: true } });
  const { subscription } = await boughtSubscription(stripe, control);
  expect(subscription.created).toBe(BEGIN);
  expect(control.advance({ days: 27 })).toBe(BEGIN + 27 * DAY);
  expect((await stripe.invoices.list()).data).toHaveLength(1);
  control.advance({ to: Date.UTC(2027, 1, 28, 12) / 1000 });
  const [renewal] = (await stripe.invoices.list()).data;
  expect(renewal).toMatchObject({ billing_reason: 'subscription_cycle', created: Date.UTC(2027, 1, 28, 12) / 1000 });
});

test('time begins where it was told to, and passes by itself unless it is frozen', async () => {
  const { stripe, sandbox, control } = await heldSandbox({ clock: { at: BEGIN } });
  const { created } = await stripe.customers.create({});
  expect(created - BEGIN).toBeLessThan(60);
  await expect.poll(() => control.state().now, { timeout: 5000 }).toBeGreaterThan(created);
  control.advance({ days: 3 });
  control.reset();
  expect(Math.abs(sandbox.aheadMs() - (BEGIN * 1000 - Date.now()))).toBeLessThan(60_000);
  await expect(openSandbox({ clock: { at: new Date('no date') } })).rejects.toThrow(/valid Date/);
});

test('webhooks come in this process, in order, signed in the time of the sandbox', async () => {
  const { stripe, control, delivered } = await heldSandbox();
  await boughtSubscription(stripe, control);
  await control.settled();
  const types: string[] = [];
  for (const { url, headers, body } of delivered) {
    const signature = String(headers['Stripe-Signature']);
    const event = stripe.webhooks.constructEvent(body, signature, SECRET, 300, undefined, BEGIN * 1000);
    expect([url, event.created]).toEqual(['app', BEGIN]);
    types.push(event.type);
  }
  const events = (await stripe.events.list({ limit: 100 })).data.map(({ type }) => type);
  expect(types).toEqual(events.reverse());
});

test('a delivery that failed is tried again when the clock was moved past its wait', async () => {
  let status = 500;
  const { stripe, control, delivered } = await heldSandbox({ delivery: { retryBaseMs: 20_000 } }, () => status);
  await stripe.customers.create({});
  await expect.poll(() => control.deliveries().length).toBe(1);
  control.advance({ seconds: 19 });
  status = 200;
  control.advance({ seconds: 1 });
  await control.settled();
  expect(delivered).toHaveLength(2);
  expect(control.deliveries().map(({ attempt, status: answered }) => [attempt, answered])).toEqual([
    [1, 500],
    [2, 200],
  ]);
});

test('what throws in the receiver counts as a failed attempt', async () => {
  const { stripe, control } = await heldSandbox({ delivery: { maxAttempts: 1 } }, () => {
    throw new Error('the process is dead');
  });
  await stripe.customers.create({});
  await control.settled();
  expect(control.deliveries()).toMatchObject([{ status: null, error: 'the process is dead' }]);
});

test('requests that are to hang or to lose their answer say so', async () => {
  const { sandbox, stripe, control } = await heldSandbox();
  const create = () =>
    sandbox.handle({ method: 'POST', path: '/v1/customers', headers: { authorization: 'Bearer sk_test_a' } });
  control.failRequests({ times: 2, outcome: 'lost' });
  await expect(create()).rejects.toSatisfy((error) => error instanceof Unanswered && error.carriedOut);
  await expect(stripe.customers.create({})).rejects.toBeInstanceOf(Stripe.errors.StripeConnectionError);
  control.failRequests({ times: 2, outcome: 'hang' });
  await expect(create()).rejects.toSatisfy((error) => error instanceof Unanswered && !error.carriedOut);
  await expect(stripe.customers.create({}, { timeout: 20 })).rejects.toBeInstanceOf(
    Stripe.errors.StripeConnectionError,
  );
  expect(control.objects('customer')).toHaveLength(2);
});

test('slow answers wait for the clock when it is frozen', async () => {
  const { stripe, control } = await heldSandbox();
  control.setFaults({ latencyMs: 2000 });
  let answered = false;
  const asked = stripe.customers.create({}).then((customer) => {
    answered = true;
    return customer;
  });
  await expect.poll(() => control.advance({ seconds: 1 }), { timeout: 5000 }).toBeGreaterThan(BEGIN + 3);
  expect((await asked).object).toBe('customer');
  expect(answered).toBe(true);
});

test('pages and the control API answer without a socket as well', async () => {
  const { sandbox } = await heldSandbox();
  const page = await sandbox.handle({ method: 'GET', path: '/' });
  expect([page.status, page.headers['Content-Type']]).toEqual([200, 'text/html; charset=utf-8']);
  const moved = await sandbox.handle({ method: 'POST', path: '/_sandbox/advance', body: '{"days":1}' });
  expect(JSON.parse(moved.body)).toEqual({ now: BEGIN + DAY });
  const unknown = await sandbox.handle({ method: 'GET', path: '/nowhere' });
  expect([unknown.status, JSON.parse(unknown.body).error.type]).toEqual([404, 'invalid_request_error']);
});
