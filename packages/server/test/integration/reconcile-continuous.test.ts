/** What goes on all the time between the reconciliations of everything. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { catchUpEventsTask } from '../../src/inbox/catch-up-events.ts';
import { createLog } from '../../src/platform/log.ts';
import { continuousTask } from '../../src/reconciliation/continuous.ts';
import { createConnections } from '../../src/stripe/connections.ts';
import { quiet, reconcile } from '../support/reconciling.ts';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

/** No event of the sandbox arrives, and the tests work on the jobs by themselves. */
let tollgate: Tollgate;

beforeAll(async () => {
  tollgate = await startTollgate({ deaf: true, callsPerSecond: null });
  await tollgate.secret.post('/features', { code: 'pro', name: 'Pro', type: 'boolean' });
  const { body: plan } = await tollgate.secret.post('/products', { name: 'Plan', features: [{ code: 'pro' }] });
  const monthly = { product: plan.id, currency: 'usd', unit_amount: 1000, recurring: { interval: 'month' } };
  await tollgate.secret.post('/prices', { ...monthly, lookup_key: 'monthly' });
  await quiet(tollgate);
});
afterAll(() => tollgate.close());

function deps() {
  const connection = { id: 'default', client: tollgate.stripe, webhookSecrets: ['whsec_unused'], livemode: false };
  return {
    db: tollgate.database.db,
    clock: tollgate.clock,
    connections: createConnections([{ ...connection, installation: 'tests' }]),
    log: createLog('silent'),
  };
}
const unhurried = { attempt: 1, maxAttempts: 1, signal: new AbortController().signal };

async function subscribe(customerId: string): Promise<string> {
  const urls = { success_url: 'http://localhost/done', cancel_url: 'http://localhost/' };
  const session = { customer_id: customerId, lookup_key: 'monthly', ...urls };
  const { body } = await tollgate.secret.post('/checkout/sessions', session);
  tollgate.sandbox.control.payCheckout(body.id);
  const { subscription } = await tollgate.stripe.checkout.sessions.retrieve(body.id);
  return String(subscription);
}

async function isEntitled(customerId: string): Promise<boolean> {
  return (await tollgate.secret.get(`/check?customer_id=${customerId}&feature=pro`)).body.entitled;
}

async function looksAgainAfter(minutes: number): Promise<void> {
  tollgate.sandbox.control.advance({ seconds: minutes * 60 });
  await catchUpEventsTask(deps())({}, unhurried);
  await quiet(tollgate);
}

const MINUTES_OF_DOWNTIME = 29 * 24 * 60;

test('events that never came are found in Stripe’s list and taken in: lost webhooks, and an outage of weeks', async () => {
  // The first look is where it begins.
  await looksAgainAfter(0);
  const bought = await subscribe('ada');
  // What is on its way still is not lost.
  await looksAgainAfter(1);
  expect(await isEntitled('ada')).toBe(false);
  await looksAgainAfter(10);
  expect(await isEntitled('ada')).toBe(true);
  const { body } = await tollgate.admin.get('/admin/events?limit=100');
  const listed = body.data.filter(({ source }: { source: string }) => source === 'listed');
  expect(listed.length).toBeGreaterThan(0);
  expect(listed.every(({ status }: { status: string }) => status === 'processed' || status === 'ignored')).toBe(true);

  await tollgate.stripe.subscriptions.cancel(bought);
  await looksAgainAfter(MINUTES_OF_DOWNTIME);
  expect(await isEntitled('ada')).toBe(false);
  expect((await reconcile(tollgate)).drifts).toEqual([]);
});

test('a look that is cut short is made again, and finds nothing twice', async () => {
  await subscribe('bob');
  tollgate.sandbox.control.failRequests({ method: 'GET', path: '/v1/events', times: 2, outcome: 500 });
  await expect(looksAgainAfter(10)).rejects.toThrow();
  expect(await isEntitled('bob')).toBe(false);
  await looksAgainAfter(0);
  expect(await isEntitled('bob')).toBe(true);
  const count = async () => (await tollgate.database.pool.query('select from tollgate.events')).rows.length;
  const before = await count();
  await looksAgainAfter(0);
  expect(await count()).toBe(before);
});

test('what has waited longest is asked for again; a run is kept only when something differed', async () => {
  const rolls = () => continuousTask(deps())({}, unhurried);
  const runs = async () =>
    (await tollgate.admin.get('/admin/reconciliations?trigger=continuous')).body.data as { id: string }[];
  const { pool } = tollgate.database;
  await reconcile(tollgate);
  const rest = () => pool.query("update tollgate.reconciliation_seen set seen_at = now() - interval '2 hours'");
  await rolls();
  // Everything was looked at a moment ago.
  expect(await runs()).toEqual([]);
  await rest();
  await rolls();
  expect(await runs()).toEqual([]);
  const due = await pool.query("select from tollgate.reconciliation_seen where seen_at < now() - interval '1 hour'");
  expect(due.rows).toHaveLength(0);

  const { body } = await tollgate.secret.get('/customers/bob');
  const id = body.subscriptions[0].id;
  await tollgate.stripe.subscriptions.cancel(id);
  await rest();
  await rolls();
  const [run] = await runs();
  const { body: found } = await tollgate.admin.get(`/admin/reconciliations/${run?.id}`);
  expect(found).toMatchObject({
    trigger: 'continuous',
    status: 'completed',
    drifts: [{ object_id: id, kind: 'different', cause: 'event_not_delivered', action: 'repaired' }],
  });
  expect(await isEntitled('bob')).toBe(false);
});
