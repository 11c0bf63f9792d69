/** What goes on all the time between the reconciliations of everything. */
import { startSandbox } from '@tollgate/stripe-sandbox';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { catchUpEventsTask } from '../../src/inbox/catch-up-events.ts';
import { syncObject } from '../../src/mirror/sync-object.ts';
import { createLog } from '../../src/platform/log.ts';
import { continuousTask } from '../../src/reconciliation/continuous.ts';
import { createConnections, createStripeClient } from '../../src/stripe/connections.ts';
import { createPace } from '../../src/stripe/pace.ts';
import type { Stripe } from '../../src/stripe/types.ts';
import { eventTypes, quiet, reconcile } from '../support/reconciling.ts';
import { startRefusingStripe } from '../support/refusing-stripe.ts';
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

/** Further connections, which come first, and where Stripe is for them, or how it is asked. */
type Others = Record<string, string | Stripe>;

function deps(others: Others = {}) {
  const used = { webhookSecrets: ['whsec_unused'], livemode: false, installation: 'tests' };
  const further = Object.entries(others).map(([id, stripe]) => ({
    ...used,
    id,
    client:
      typeof stripe === 'string' ? createStripeClient({ secretKey: 'sk_test_of_another', apiBase: stripe }) : stripe,
  }));
  return {
    db: tollgate.database.db,
    clock: tollgate.clock,
    connections: createConnections([...further, { ...used, id: 'default', client: tollgate.stripe }]),
    log: createLog('silent'),
    eventTypes,
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

/** The service hears of what the tests' own tasks have saved. */
async function becomes(customerId: string, { entitled }: { entitled: boolean }): Promise<void> {
  const answers = async () => (await isEntitled(customerId)) === entitled;
  await tollgate.until(answers, 5_000, `the access of ${customerId} is ${entitled}`);
}

async function looksAgainAfter(minutes: number, others: Others = {}): Promise<void> {
  tollgate.sandbox.control.advance({ seconds: minutes * 60 });
  await catchUpEventsTask(deps(others))({}, unhurried).finally(() => quiet(tollgate));
}

/** So long that everything is due. */
async function rest(): Promise<void> {
  await tollgate.database.pool.query("update tollgate.reconciliation_seen set seen_at = now() - interval '2 hours'");
}

async function rolls(others: Others = {}): Promise<void> {
  const retry = { maxAttempts: 1, baseMs: 1, capMs: 1 };
  await continuousTask(deps(others), { pace: createPace(null), retry })({}, unhurried);
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

test('a connection whose key is refused, or whose account is away, keeps no other from catching up', async () => {
  for (const status of [401, 500]) {
    using broken = await startRefusingStripe(status, tollgate.sandbox.url);
    const customer = `catching_up_beside_${status}`;
    const others = { acme: broken.url };
    // It has been looked at before.
    broken.state.status = 200;
    await looksAgainAfter(0, others);
    broken.state.status = status;
    await subscribe(customer);
    // The look is made again until it succeeds.
    await expect(looksAgainAfter(10, others)).rejects.toThrow('Not now.');
    await becomes(customer, { entitled: true });
  }
});

test('what has waited longest is asked for again; a run is kept only when something differed', async () => {
  const runs = async () =>
    (await tollgate.admin.get('/admin/reconciliations?trigger=continuous')).body.data as { id: string }[];
  const { pool } = tollgate.database;
  await reconcile(tollgate);
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

test('a look asks for forty objects of each account, those that have waited longest, and for none within the hour', async () => {
  const crowded = { crowded: tollgate.stripe };
  for (let hours = 2; hours <= 61; hours++) await seen(hours, 'crowded', 'product', `prod_${hours}`);
  await seen(0.5, 'crowded', 'product', 'prod_rested');
  const isWaiting = async (ids: string[]) => (await Promise.all(ids.map(isDue))).filter(Boolean).length;
  const [young, old] = [
    Array.from({ length: 20 }, (_, n) => `prod_${n + 2}`),
    Array.from({ length: 40 }, (_, n) => `prod_${n + 22}`),
  ];
  await rolls(crowded);
  expect([await isWaiting(young), await isWaiting(old)]).toEqual([20, 0]);
  await rolls(crowded);
  expect(await isWaiting(young)).toBe(0);
  const { rows } = await tollgate.database.pool.query(
    "select from tollgate.reconciliation_seen where object_id = 'prod_rested' and seen_at > now() - interval '20 minutes'",
  );
  expect(rows).toEqual([]);
});

test('what Stripe said has ended is not asked for again', async () => {
  const id = await subscribe('left');
  await tollgate.stripe.subscriptions.cancel(id);
  await reconcile(tollgate);
  await rest();
  const refusal = { method: 'GET', path: `/v1/subscriptions/${id}`, times: 100, outcome: 500 } as const;
  tollgate.sandbox.control.failRequests(refusal);
  await rolls();
  expect(tollgate.sandbox.control.state().plannedRequestFailures).toMatchObject([{ times: 100 }]);
  tollgate.sandbox.control.clearFaults();
  expect(await isDue(id)).toBe(false);
});

/** A run that somebody else is at, or was when their process died. */
async function runUnderWay(trigger: 'manual' | 'continuous'): Promise<string> {
  const id = `run_${trigger}_under_way`;
  const now = new Date();
  const run = { id, status: 'running', trigger, counts: '{}', created_at: now, started_at: now } as const;
  await tollgate.database.db.insertInto('tollgate.reconciliation_runs').values(run).execute();
  return id;
}

test('nothing is asked for while a run of everything is under way', async () => {
  const id = await subscribe('covered');
  await reconcile(tollgate);
  const run = await runUnderWay('manual');
  await rest();
  await rolls();
  expect(await isDue(id)).toBe(true);
  await tollgate.database.db.deleteFrom('tollgate.reconciliation_runs').where('id', '=', run).execute();
  await rolls();
  expect(await isDue(id)).toBe(false);
});

test('a look that a process left behind when it died is gone on with, and ends', async () => {
  const left = await runUnderWay('continuous');
  const id = await subscribe('after_a_death');
  await reconcile(tollgate);
  await tollgate.stripe.subscriptions.cancel(id);
  await rest();
  await rolls();
  const { body } = await tollgate.admin.get(`/admin/reconciliations/${left}`);
  expect(body).toMatchObject({ status: 'completed', drifts: [{ object_id: id, action: 'repaired' }] });
});

test('an account that is away or whose key was revoked, however much of it is due, keeps no other from being looked at', async () => {
  for (const status of [401, 500]) {
    using broken = await startRefusingStripe(status, tollgate.sandbox.url);
    const customer = `rolling_beside_${status}`;
    const id = await subscribe(customer);
    await reconcile(tollgate);
    await tollgate.stripe.subscriptions.cancel(id);
    await rest();
    // More than one look asks for, and all of it older.
    await sql`insert into tollgate.reconciliation_seen (connection_id, object_type, object_id, seen_at)
      select 'acme', 'product', 'prod_of_acme_' || n, now() - interval '1 day' from generate_series(1, 100) n
      on conflict do nothing`.execute(tollgate.database.db);
    await rolls({ acme: broken.url });
    await becomes(customer, { entitled: false });
  }
});

/** As if it had been looked at so many hours ago; after `rest` everything else was two hours ago. */
async function seen(hours: number, connectionId: string, kind: string, id: string): Promise<void> {
  await sql`insert into tollgate.reconciliation_seen (connection_id, object_type, object_id, seen_at)
    values (${connectionId}, ${kind}, ${id}, now() - ${hours} * interval '1 hour')
    on conflict (connection_id, object_type, object_id) do update set seen_at = excluded.seen_at`.execute(
    tollgate.database.db,
  );
}

async function isDue(id: string): Promise<boolean> {
  const due = "select from tollgate.reconciliation_seen where object_id = $1 and seen_at < now() - interval '1 hour'";
  return (await tollgate.database.pool.query(due, [id])).rows.length > 0;
}

test('an object that Stripe answers with an error every time keeps no other of its account waiting, and does not stay the first', async () => {
  const broken = await subscribe('broken');
  const canceled = await subscribe('behind_a_broken_one');
  await reconcile(tollgate);
  await tollgate.stripe.subscriptions.cancel(canceled);
  await rest();
  await seen(3, 'default', 'subscription', broken);
  await seen(1.5, 'default', 'subscription', canceled);
  const path = `/v1/subscriptions/${broken}`;
  tollgate.sandbox.control.failRequests({ method: 'GET', path, times: 100, outcome: 500 });
  await rolls();
  tollgate.sandbox.control.clearFaults();
  await becomes('behind_a_broken_one', { entitled: false });
  expect(await isDue(broken)).toBe(false);
});

test('a mistake of ours over one object is told, and keeps neither other accounts nor other objects waiting', async () => {
  const canceled = await subscribe('beside_a_mistake');
  await reconcile(tollgate);
  await tollgate.stripe.subscriptions.cancel(canceled);
  await rest();
  await seen(3, 'mistaken', 'product', 'prod_of_a_mistake');
  const client = createStripeClient({ secretKey: 'sk_test_of_another', apiBase: tollgate.sandbox.url });
  client.products.retrieve = () => {
    throw new TypeError('It has no such member.');
  };
  await expect(rolls({ mistaken: client })).rejects.toThrow('It has no such member.');
  await becomes('beside_a_mistake', { entitled: false });
  expect(await isDue('prod_of_a_mistake')).toBe(false);
});

test('what ended because Stripe did not find it is asked for again, and goes on when Stripe finds it', async () => {
  const id = await subscribe('found');
  await reconcile(tollgate);
  const elsewhere = await startSandbox();
  const empty = {
    ...deps().connections.get('default'),
    client: createStripeClient({ secretKey: 'sk_test_of_another', apiBase: elsewhere.url }),
  };
  const ref = { type: 'subscription', id } as const;
  const cause = { type: 'reconciliation', id: 'run_over_another_account' } as const;
  await syncObject({ ...deps(), connections: createConnections([empty]) }, { connectionId: 'default', ref, cause });
  await elsewhere.close();
  await becomes('found', { entitled: false });
  await rest();
  await rolls();
  await becomes('found', { entitled: true });
});
