/** Purchases are compared by what Stripe's lists show of them, and fetched one by one only where that is not all. */
import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createLog } from '../../src/platform/log.ts';
import { reconcileTask } from '../../src/reconciliation/run.ts';
import { createConnections, createStripeClient } from '../../src/stripe/connections.ts';
import { createPace } from '../../src/stripe/pace.ts';
import { about, eventTypes, type FinishedRun, finished, quiet, reconcile } from '../support/reconciling.ts';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

const PURCHASES = 24;
const PAGE_SIZE = 10;

/** No event of the sandbox arrives: whatever is known, a reconciliation found. */
let tollgate: Tollgate;
let counting: { url: string; server: Server; asked: string[] };
/** Payment intents, by customer. */
const payments = new Map<string, string>();

beforeAll(async () => {
  tollgate = await startTollgate({ deaf: true, callsPerSecond: null, reconcile: { pageSize: PAGE_SIZE } });
  counting = await startCountingStripe(tollgate.sandbox.url);
  const { secret } = tollgate;
  await secret.post('/features', { code: 'pro', name: 'Pro', type: 'boolean' });
  const { body: product } = await secret.post('/products', { name: 'For life', features: [{ code: 'pro' }] });
  const terms = { product: product.id, currency: 'usd', unit_amount: 9900 };
  await secret.post('/prices', { ...terms, lookup_key: 'life' });
  await secret.post('/prices', { ...terms, lookup_key: 'monthly', recurring: { interval: 'month' } });
  for (let i = 1; i <= PURCHASES; i++) await buy(`buyer_${i}`);
  await reconcile(tollgate);
  await quiet(tollgate);
});
afterAll(async () => {
  counting.server.closeAllConnections();
  await new Promise((resolve) => counting.server.close(resolve));
  await tollgate.close();
});
beforeEach(() => {
  counting.asked.length = 0;
});

async function buy(customerId: string, lines: object = { lookup_key: 'life' }): Promise<void> {
  const urls = { success_url: 'http://localhost/done', cancel_url: 'http://localhost/' };
  const { body } = await tollgate.secret.post('/checkout/sessions', { customer_id: customerId, ...lines, ...urls });
  tollgate.sandbox.control.payCheckout(body.id);
  const { payment_intent } = await tollgate.stripe.checkout.sessions.retrieve(body.id);
  payments.set(customerId, String(payment_intent));
}

/** The sandbox, with a list of what it was asked. */
async function startCountingStripe(sandboxUrl: string) {
  const asked: string[] = [];
  const server = createServer(async (request, response) => {
    const at = request.url ?? '/';
    asked.push(at.split('?')[0] ?? at);
    const headers = { authorization: request.headers.authorization ?? '' };
    const answer = await fetch(sandboxUrl + at, { method: request.method ?? 'GET', headers });
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { url: `http://127.0.0.1:${port}`, server, asked };
}

let runs = 0;

/** A run of everything whose calls are counted. */
async function counted(): Promise<FinishedRun> {
  runs += 1;
  const id = `run_whose_calls_are_counted_${runs}`;
  const whole = { project_id: null, customer_id: null, trigger: 'manual', counts: '{}' } as const;
  const { db } = tollgate.database;
  await db
    .insertInto('tollgate.reconciliation_runs')
    .values({ id, ...whole, status: 'queued', dry_run: false, created_at: new Date() })
    .execute();
  const client = createStripeClient({ secretKey: 'sk_test_of_the_tests', apiBase: counting.url });
  const rest = { webhookSecrets: ['whsec_unused'], livemode: false, installation: 'tests' };
  const connections = createConnections([{ id: 'default', client, ...rest }]);
  const deps = { db, clock: tollgate.clock, connections, log: createLog('silent'), eventTypes };
  const { signal } = new AbortController();
  const task = reconcileTask(deps, { pace: createPace(null), pageSize: PAGE_SIZE });
  await task({ runId: id }, { attempt: 1, maxAttempts: 1, signal });
  return await finished(tollgate, id);
}

/** How often the payment of a purchase was asked for by itself. */
const fetches = (customerId: string): number =>
  counting.asked.filter((path) => path === `/v1/payment_intents/${payments.get(customerId)}`).length;

const isEntitled = async (customerId: string): Promise<boolean> =>
  (await tollgate.secret.get(`/check?customer_id=${customerId}&feature=pro`)).body.entitled;

const paymentOf = (customerId: string): string => payments.get(customerId) ?? '';

describe('purchases of which nothing differs', () => {
  test('cost the pages of the list, and nothing each', async () => {
    const run = await counted();
    expect(run).toMatchObject({ status: 'completed', drifts: [] });
    const sessions = counting.asked.filter((path) => path === '/v1/checkout/sessions');
    expect(sessions).toHaveLength(Math.ceil(PURCHASES / PAGE_SIZE));
    expect(counting.asked.filter((path) => /^\/v1\/(payment_intents|checkout\/sessions\/)/.test(path))).toEqual([]);
    // Customers, too, come in pages; every other list is asked for once or twice.
    expect(counting.asked.length).toBeLessThan((2 * PURCHASES) / PAGE_SIZE + 20);
  });
});

describe('an old purchase whose events were lost', () => {
  async function drift(customerId: string) {
    const run = await counted();
    expect(run.drifts.map(({ object_id }) => object_id)).toEqual([paymentOf(customerId)]);
    expect((await counted()).drifts).toEqual([]);
    return about(run, paymentOf(customerId))[0]?.fields ?? [];
  }

  test('is found to be refunded, and again once that refund has failed; asked for by itself before it is believed', async () => {
    const refund = tollgate.sandbox.control.refund(paymentOf('buyer_1'));
    expect(await drift('buyer_1')).toContainEqual({ field: 'refunded_minor', before: 0, after: 9900 });
    expect(await isEntitled('buyer_1')).toBe(false);
    expect(fetches('buyer_1')).toBeGreaterThan(0);

    tollgate.sandbox.control.failRefund(refund.id);
    expect(await drift('buyer_1')).toContainEqual({ field: 'refunded_minor', before: 9900, after: 0 });
    expect(await isEntitled('buyer_1')).toBe(true);
  });

  test('is found to be disputed, and what became of the dispute', async () => {
    const dispute = tollgate.sandbox.control.dispute(paymentOf('buyer_2'));
    const opened = await drift('buyer_2');
    expect(opened.map(({ field }) => field).join()).toContain('dispute');
    expect(await isEntitled('buyer_2')).toBe(false);

    tollgate.sandbox.control.closeDispute(dispute.id, 'won');
    await drift('buyer_2');
    expect(await isEntitled('buyer_2')).toBe(true);
  });

  test('is found to be inquired about, which the list of purchases does not show', async () => {
    tollgate.sandbox.control.dispute(paymentOf('buyer_3'), 'inquiry');
    await drift('buyer_3');
    expect(await isEntitled('buyer_3')).toBe(true);
  });

  test('is found to be refunded by more refunds than the list shows', async () => {
    for (let part = 1; part <= 10; part++) tollgate.sandbox.control.refund(paymentOf('buyer_4'), 900);
    await drift('buyer_4');
    expect(await isEntitled('buyer_4')).toBe(true);
    tollgate.sandbox.control.refund(paymentOf('buyer_4'), 900);
    expect(await drift('buyer_4')).toContainEqual({ field: 'refunded_minor', before: 9000, after: 9900 });
    expect(await isEntitled('buyer_4')).toBe(false);
  });
});

describe('what the list does not show all of', () => {
  test('is fetched by itself: more lines than ten, and what was bought beside a subscription', async () => {
    const { secret } = tollgate;
    const prices: string[] = [];
    for (let i = 1; i <= 11; i++) {
      const { body: product } = await secret.post('/products', { name: `Part ${i}`, features: [{ code: 'pro' }] });
      const { body } = await secret.post('/prices', { product: product.id, currency: 'usd', unit_amount: 100 });
      prices.push(body.id);
    }
    const { data } = (await secret.get('/prices?limit=100')).body;
    const monthly = data.find(({ recurring }: { recurring: object | null }) => recurring !== null);
    await buy('many_lines', { line_items: prices.map((price) => ({ price })) });
    await buy('beside', { line_items: [{ price: monthly.id }, { price: prices[0] }] });
    const run = await counted();
    const bought = run.drifts.filter(({ object_type }) => object_type === 'purchase');
    expect(bought.map(({ customer_id }) => customer_id).sort()).toEqual(['beside', 'many_lines']);
    expect((await counted()).drifts).toEqual([]);

    const { rowCount } = await tollgate.database.pool.query(
      `update tollgate.facts set body = jsonb_set(body, '{lines}', (body->'lines') - 10) where object_id = $1`,
      [paymentOf('many_lines')],
    );
    expect(rowCount).toBe(1);
    const lost = about(await counted(), paymentOf('many_lines'));
    expect(lost).toMatchObject([{ kind: 'different', object_type: 'purchase', action: 'repaired' }]);
    expect((await counted()).drifts).toEqual([]);
  });
});
