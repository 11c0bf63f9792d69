import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SUBSCRIPTION_EXPANSIONS } from '../../src/mirror/fetch-subscription.ts';
import { createLog } from '../../src/platform/log.ts';
import { examinePage } from '../../src/reconciliation/examine.ts';
import type { Look } from '../../src/reconciliation/kind.ts';
import { KnownAccounts } from '../../src/reconciliation/known-accounts.ts';
import { subscriptions } from '../../src/reconciliation/subscriptions.ts';
import { UndeliveredEvents } from '../../src/reconciliation/undelivered-events.ts';
import { createConnections } from '../../src/stripe/connections.ts';
import type { Client } from '../support/client.ts';
import { about, eventTypes, quiet, reconcile } from '../support/reconciling.ts';
import { startTollgate, type Tollgate, WEBHOOK_SECRET } from '../support/tollgate.ts';

/** No event of the sandbox arrives unless a test says so. */
let tollgate: Tollgate;
let app: Client;

beforeAll(async () => {
  tollgate = await startTollgate({ deaf: true, callsPerSecond: null, reconcile: { pageSize: 10 } });
  app = tollgate.secret;
  await app.post('/features', { code: 'pro', name: 'Pro', type: 'boolean' });
  const { body: plan } = await app.post('/products', { name: 'Plan', features: [{ code: 'pro' }] });
  const monthly = { product: plan.id, currency: 'usd', unit_amount: 1000, recurring: { interval: 'month' } };
  await app.post('/prices', { ...monthly, lookup_key: 'monthly' });
  const { body: life } = await app.post('/products', { name: 'For life', features: [{ code: 'pro' }] });
  await app.post('/prices', { product: life.id, currency: 'usd', unit_amount: 9900, lookup_key: 'life' });
  await quiet(tollgate);
});
afterAll(() => tollgate.close());

/** A customer buys, with a card that pays unless a test says otherwise, and nobody tells Tollgate. @returns the checkout session's id */
async function buy(customerId: string, lookupKey: string, number = '4242424242424242'): Promise<string> {
  const urls = { success_url: 'http://localhost/done', cancel_url: 'http://localhost/' };
  const { body } = await app.post('/checkout/sessions', { customer_id: customerId, lookup_key: lookupKey, ...urls });
  const form = new URLSearchParams({ card_number: number });
  const paid = await fetch(`${body.url}/pay`, { method: 'POST', body: form, redirect: 'manual' });
  if (paid.status !== 303) throw new Error(`The payment answered ${paid.status}.`);
  return body.id;
}

async function subscriptionOf(session: string): Promise<string> {
  const { subscription } = await tollgate.stripe.checkout.sessions.retrieve(session);
  return String(subscription);
}

async function isEntitled(customerId: string): Promise<boolean> {
  return (await app.get(`/check?customer_id=${customerId}&feature=pro`)).body.entitled;
}

describe('a reconciliation after lost webhooks', () => {
  test('finds a subscription that was bought, tells why, and opens access', async () => {
    const id = await subscriptionOf(await buy('ada', 'monthly'));
    expect(await isEntitled('ada')).toBe(false);

    const dry = await reconcile(tollgate, { dry_run: true });
    expect(about(dry, id)).toMatchObject([{ kind: 'missing_locally', action: 'would_repair', customer_id: 'ada' }]);
    expect(await isEntitled('ada')).toBe(false);

    const run = await reconcile(tollgate);
    expect(about(run, id)).toMatchObject([
      {
        kind: 'missing_locally',
        object_type: 'subscription',
        project_id: tollgate.project.id,
        customer_id: 'ada',
        cause: 'event_not_delivered',
        action: 'repaired',
      },
    ]);
    expect(about(run, id)[0]?.fields).toContainEqual({ field: 'status', before: null, after: 'active' });
    expect(await isEntitled('ada')).toBe(true);
    const history = await app.get('/entitlements/history?customer_id=ada');
    expect(history.body.data[0].cause).toMatchObject({ type: 'reconciliation', id: run.id });
    expect((await reconcile(tollgate)).drifts).toEqual([]);
  });

  test('ends the access of one that was canceled in Stripe', async () => {
    const id = await subscriptionOf(await buy('bob', 'monthly'));
    await reconcile(tollgate);
    await tollgate.stripe.subscriptions.cancel(id);
    expect(await isEntitled('bob')).toBe(true);
    const run = await reconcile(tollgate);
    expect(about(run, id)).toMatchObject([{ kind: 'different', cause: 'event_not_delivered', action: 'repaired' }]);
    expect(about(run, id)[0]?.fields).toContainEqual({ field: 'status', before: 'active', after: 'canceled' });
    expect(await isEntitled('bob')).toBe(false);
    expect((await reconcile(tollgate)).drifts).toEqual([]);
  });

  test('finds a purchase, and later its refund', async () => {
    const session = await buy('cleo', 'life');
    const bought = await reconcile(tollgate);
    const [drift] = bought.drifts.filter(({ object_type }) => object_type === 'purchase');
    expect(drift).toMatchObject({ kind: 'missing_locally', customer_id: 'cleo', action: 'repaired' });
    expect(await isEntitled('cleo')).toBe(true);

    const { payment_intent } = await tollgate.stripe.checkout.sessions.retrieve(session);
    await tollgate.stripe.refunds.create({ payment_intent: String(payment_intent) });
    const refunded = await reconcile(tollgate, { project_id: tollgate.project.id, customer_id: 'cleo' });
    expect(about(refunded, String(payment_intent))).toMatchObject([
      { kind: 'different', cause: 'event_not_delivered', action: 'repaired' },
    ]);
    expect(about(refunded, String(payment_intent))[0]?.fields).toContainEqual({
      field: 'refunded_minor',
      before: 0,
      after: 9900,
    });
    expect(await isEntitled('cleo')).toBe(false);
    expect((await reconcile(tollgate)).drifts).toEqual([]);
  });

  test('sees that a customer was deleted in Stripe, with what ended with it', async () => {
    const id = await subscriptionOf(await buy('dora', 'monthly'));
    await reconcile(tollgate);
    expect(await isEntitled('dora')).toBe(true);
    const { body: customer } = await app.get('/customers/dora');
    await tollgate.stripe.customers.del(customer.stripe_customer_id);
    const run = await reconcile(tollgate);
    const objects = run.drifts.map(({ object_id }) => object_id);
    expect(objects).toContain(id);
    expect(objects).toContain(customer.stripe_customer_id);
    expect(run.drifts.every(({ action }) => action === 'repaired')).toBe(true);
    expect(await isEntitled('dora')).toBe(false);
    expect((await app.get('/customers/dora')).body.stripe_customer_id).toBeNull();
    expect((await reconcile(tollgate)).drifts).toEqual([]);
  });

  test('looks at one customer alone when asked to', async () => {
    const mine = await subscriptionOf(await buy('emil', 'monthly'));
    const theirs = await subscriptionOf(await buy('fay', 'monthly'));
    const run = await reconcile(tollgate, { project_id: tollgate.project.id, customer_id: 'emil' });
    expect(run.drifts.map(({ object_id }) => object_id)).toEqual([mine]);
    expect([await isEntitled('emil'), await isEntitled('fay')]).toEqual([true, false]);
    expect((await reconcile(tollgate)).drifts.map(({ object_id }) => object_id)).toEqual([theirs]);
  });

  test('tells a webhook that came and failed from one that never came', async () => {
    const id = await subscriptionOf(await buy('gus', 'monthly'));
    await reconcile(tollgate);
    tollgate.sandbox.deliverTo([{ url: `${tollgate.url}/api/v1/webhooks/stripe`, secret: WEBHOOK_SECRET }]);
    tollgate.sandbox.control.failRequests({ method: 'GET', path: `/v1/subscriptions/${id}`, times: 50, outcome: 400 });
    await tollgate.stripe.subscriptions.update(id, { cancel_at_period_end: true });
    await tollgate.until(async () => {
      const { body } = await tollgate.admin.get('/admin/events?status=dead');
      return body.data.some((event: { type: string }) => event.type === 'customer.subscription.updated');
    });
    tollgate.sandbox.deliverTo([]);
    tollgate.sandbox.control.clearFaults();
    const run = await reconcile(tollgate);
    expect(about(run, id)).toMatchObject([{ kind: 'different', cause: 'event_failed', action: 'repaired' }]);
    expect((await reconcile(tollgate)).drifts).toEqual([]);
  });

  test('records what Stripe refuses to show, and goes on with the rest', async () => {
    const shown = await subscriptionOf(await buy('hal', 'monthly'));
    const hidden = await subscriptionOf(await buy('ida', 'monthly'));
    tollgate.sandbox.control.failRequests({
      method: 'GET',
      path: `/v1/subscriptions/${hidden}`,
      times: 50,
      outcome: 400,
    });
    const run = await reconcile(tollgate);
    expect(run).toMatchObject({ status: 'completed', counts: { drifts: 2, repaired: 1, needs_person: 1 } });
    expect(about(run, hidden)).toMatchObject([
      { kind: 'unreadable', action: 'needs_person', detail: expect.stringContaining('Stripe refused') },
    ]);
    expect(about(run, shown)).toMatchObject([{ action: 'repaired' }]);
    tollgate.sandbox.control.clearFaults();
    expect(about(await reconcile(tollgate), hidden)).toMatchObject([{ kind: 'missing_locally', action: 'repaired' }]);
    expect((await reconcile(tollgate)).drifts).toEqual([]);
  });

  test('repairs without knowing the cause when the key may not read events', async () => {
    const id = await subscriptionOf(await buy('kim', 'monthly'));
    tollgate.sandbox.control.failRequests({ method: 'GET', path: '/v1/events', times: 50, outcome: 403 });
    const run = await reconcile(tollgate);
    tollgate.sandbox.control.clearFaults();
    expect(run.status).toBe('completed');
    expect(about(run, id)).toMatchObject([{ cause: 'unknown', action: 'repaired' }]);
  });

  test('finds out that a first debit has settled, or was returned: Stripe calls either subscription active', async () => {
    const settling = await subscriptionOf(await buy('max', 'monthly', 'DE89370400440532013000'));
    const returned = await subscriptionOf(await buy('eve', 'monthly', 'DE62370400440532013001'));
    await reconcile(tollgate);
    expect([await isEntitled('max'), await isEntitled('eve')]).toEqual([false, false]);
    tollgate.sandbox.control.advance({ days: 4 });
    const run = await reconcile(tollgate);
    const fields = [{ field: 'first_payment', before: 'pending', after: null }];
    expect(about(run, settling)).toMatchObject([{ kind: 'different', action: 'repaired', fields }]);
    expect(about(run, returned)).toMatchObject([{ kind: 'different', action: 'repaired' }]);
    expect([await isEntitled('max'), await isEntitled('eve')]).toEqual([true, false]);
    expect((await reconcile(tollgate)).drifts).toEqual([]);
  });

  test('brings back what was not found while the key was another account’s', async () => {
    const id = await subscriptionOf(await buy('lea', 'monthly'));
    await reconcile(tollgate);
    await tollgate.database.db
      .updateTable('tollgate.facts')
      .set({ body: sql`body || '{"status": "canceled", "notFound": true}'` })
      .where('object_id', '=', id)
      .execute();
    expect(about(await reconcile(tollgate), id)).toMatchObject([{ kind: 'different', action: 'repaired' }]);
    expect((await reconcile(tollgate)).drifts).toEqual([]);
  });

  test('takes no list at its word that is older than what is stored', async () => {
    const id = await subscriptionOf(await buy('jon', 'monthly'));
    const expand = SUBSCRIPTION_EXPANSIONS.map((at) => `data.${at}`);
    const old = await tollgate.stripe.subscriptions.list({ status: 'all', limit: 100, expand });
    await tollgate.stripe.subscriptions.update(id, { cancel_at_period_end: true });
    const last = await reconcile(tollgate);
    const { db } = tollgate.database;
    const row = db.selectFrom('tollgate.reconciliation_runs').selectAll().where('id', '=', last.id);
    const connection = {
      id: 'default',
      client: tollgate.stripe,
      webhookSecrets: ['whsec_unused'],
      livemode: false,
      installation: 'tests',
    };
    const deps = {
      db,
      clock: tollgate.clock,
      connections: createConnections([connection]),
      log: createLog('silent'),
      undelivered: new UndeliveredEvents(eventTypes),
      accounts: new KnownAccounts(),
    };
    const look: Look = {
      db,
      connection,
      scope: { projectId: null, customerId: null },
      ask: (_endpoint, call) => call(),
    };
    const stale = old.data.filter((listed) => listed.id === id);
    expect((await subscriptions.compare(look, stale[0] as (typeof stale)[0])).status).toBe('drift');
    const run = await row.executeTakeFirstOrThrow();
    const { counted } = await examinePage(deps, look, run, subscriptions, stale, new AbortController().signal);
    expect(counted).toMatchObject({ in_sync: 1 });
    expect((await tollgate.admin.get(`/admin/reconciliations/${last.id}`)).body.drifts).toEqual(last.drifts);
  });

  test('leaves alone what belongs to nobody here, and what nobody can attribute', async () => {
    const { stripe } = tollgate;
    const stranger = await stripe.customers.create({ email: 'stranger@example.com' });
    const product = await stripe.products.create({ name: 'Of another shop' });
    const price = await stripe.prices.create({
      product: product.id,
      currency: 'usd',
      unit_amount: 500,
      recurring: { interval: 'month' },
    });
    await stripe.subscriptions.create({ customer: stranger.id, items: [{ price: price.id }], trial_period_days: 7 });
    const own = (await app.get('/prices')).body.data.find((each: { recurring: unknown }) => each.recurring !== null);
    await stripe.subscriptions.create({ customer: stranger.id, items: [{ price: own.id }], trial_period_days: 7 });
    const run = await reconcile(tollgate);
    // What nobody can attribute needs a person, dry or not, and nothing else is a drift.
    expect(run.drifts).toMatchObject([{ kind: 'unattributed', action: 'needs_person' }]);
    expect(run.counts.parked).toBe(1);
  });
});

test('a reconciliation goes through every page: 45 subscriptions, ten a page', async () => {
  const { body: project } = await tollgate.admin.post('/admin/projects', { name: 'Many', slug: 'many' });
  const many = tollgate.as(project.secret_key);
  await many.post('/features', { code: 'pro', name: 'Pro', type: 'boolean' });
  const { body: plan } = await many.post('/products', { name: 'Plan', features: [{ code: 'pro' }] });
  const terms = { product: plan.id, currency: 'usd', unit_amount: 1000, recurring: { interval: 'month' } };
  const { body: price } = await many.post('/prices', terms);
  await quiet(tollgate);
  const made: string[] = [];
  await Promise.all(
    Array.from({ length: 45 }, async (_, i) => {
      const metadata = {
        tollgate_installation: 'tests',
        tollgate_project: project.id,
        tollgate_customer: `buyer_${i}`,
      };
      const customer = await tollgate.stripe.customers.create({ metadata });
      const items = [{ price: price.id }];
      const created = await tollgate.stripe.subscriptions.create({
        customer: customer.id,
        items,
        trial_period_days: 14,
      });
      made.push(created.id);
    }),
  );
  const run = await reconcile(tollgate, { project_id: project.id });
  const found = run.drifts.filter(({ object_type }) => object_type === 'subscription');
  expect(found.map(({ object_id }) => object_id).sort()).toEqual([...made].sort());
  expect(run.counts.needs_person).toBe(0);
  const { body: summary } = await many.get('/metrics/summary');
  expect(summary).toMatchObject({ trialing_subscriptions: 45, customers: 45, entitled_customers: 45, mrr: [] });
  const again = await reconcile(tollgate, { project_id: project.id });
  expect(again.drifts).toEqual([]);
  expect(again.counts.in_sync).toBe(45 * 3 + 2);
}, 90_000);
