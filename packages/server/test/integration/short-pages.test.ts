/** Every list of Stripe's goes on behind its first page, also those that are short in the sandbox. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { importTask } from '../../src/adoption/run.ts';
import { requestRecomputation } from '../../src/entitlements/recompute-customers.ts';
import { catchUpEventsTask } from '../../src/inbox/catch-up-events.ts';
import { createLog } from '../../src/platform/log.ts';
import { reconcileTask } from '../../src/reconciliation/run.ts';
import { createConnections, createStripeClient } from '../../src/stripe/connections.ts';
import { createPace } from '../../src/stripe/pace.ts';
import { about, eventTypes, type FinishedRun, finished, quiet, reconcile } from '../support/reconciling.ts';
import { type ShortPages, startShortPages } from '../support/short-pages.ts';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

/** No event of the sandbox arrives. */
let tollgate: Tollgate;
let pages: ShortPages;

beforeAll(async () => {
  tollgate = await startTollgate({ deaf: true, callsPerSecond: null });
  pages = await startShortPages(tollgate.sandbox.url);
  const { secret } = tollgate;
  await secret.post('/features', { code: 'pro', name: 'Pro', type: 'boolean' });
  const { body: plan } = await secret.post('/products', { name: 'Plan', features: [{ code: 'pro' }] });
  const terms = { product: plan.id, currency: 'usd', unit_amount: 1000 };
  await secret.post('/prices', { ...terms, lookup_key: 'monthly', recurring: { interval: 'month' } });
  await secret.post('/prices', { ...terms, lookup_key: 'life' });
  await quiet(tollgate);
});
afterAll(async () => {
  pages[Symbol.dispose]();
  await tollgate.close();
});

function deps() {
  const client = createStripeClient({ secretKey: 'sk_test_of_the_tests', apiBase: pages.url });
  const connection = { id: 'default', client, webhookSecrets: ['whsec_unused'], livemode: false };
  return {
    db: tollgate.database.db,
    clock: tollgate.clock,
    connections: createConnections([{ ...connection, installation: 'tests' }]),
    log: createLog('silent'),
    eventTypes,
  };
}
const unhurried = { attempt: 1, maxAttempts: 1, signal: new AbortController().signal };

let runs = 0;

async function reconcileByPages(): Promise<FinishedRun> {
  runs += 1;
  const id = `run_by_pages_${runs}`;
  const whole = { project_id: null, customer_id: null, trigger: 'manual', counts: '{}' } as const;
  await deps()
    .db.insertInto('tollgate.reconciliation_runs')
    .values({ id, ...whole, status: 'queued', created_at: new Date() })
    .execute();
  await reconcileTask(deps(), { pace: createPace(null) })({ runId: id }, unhurried);
  return await finished(tollgate, id);
}

async function buy(customerId: string, price: 'monthly' | 'life') {
  const urls = { success_url: 'http://localhost/done', cancel_url: 'http://localhost/' };
  const { body } = await tollgate.secret.post('/checkout/sessions', {
    customer_id: customerId,
    lookup_key: price,
    ...urls,
  });
  tollgate.sandbox.control.payCheckout(body.id);
  const { subscription, payment_intent } = await tollgate.stripe.checkout.sessions.retrieve(body.id);
  return { subscription: String(subscription), payment: String(payment_intent) };
}

async function paymentOf(subscription: string): Promise<string> {
  const { latest_invoice } = await tollgate.stripe.subscriptions.retrieve(subscription);
  const { data } = await tollgate.stripe.invoicePayments.list({ invoice: String(latest_invoice) });
  return String(data[0]?.payment.payment_intent);
}

const names = ['ada', 'bob', 'cyd'];

test('events that never came are taken in from every page', async () => {
  await catchUpEventsTask(deps())({}, unhurried);
  const late = [await buy('late', 'monthly'), await buy('later', 'monthly')];
  tollgate.sandbox.control.advance({ seconds: 600 });
  await catchUpEventsTask(deps())({}, unhurried);
  await quiet(tollgate);
  const { body } = await tollgate.admin.get('/admin/events?limit=100&type=customer.subscription.created');
  const taken = body.data.map((event: { object_id: string }) => event.object_id);
  expect(taken.sort()).toEqual(late.map(({ subscription }) => subscription).sort());
});

test('a reconciliation finds what is on every page, and whose events never came by the pages of the events', async () => {
  const { control } = tollgate.sandbox;
  const bought = [];
  for (const name of names) bought.push(await buy(`once_${name}`, 'life'), await buy(name, 'monthly'));
  const first = await reconcileByPages();
  for (const { subscription, payment } of bought) {
    const [drift] = about(first, subscription === 'null' ? payment : subscription);
    expect(drift).toMatchObject({ kind: 'missing_locally', cause: 'event_not_delivered', action: 'repaired' });
  }
  const payments = [];
  for (const { subscription, payment } of bought) {
    const isOnce = subscription === 'null';
    const paid = isOnce ? payment : await paymentOf(subscription);
    payments.push(paid);
    // Of an inquiry nothing tells but the list of disputes.
    control.dispute(paid, isOnce ? 'inquiry' : 'fraudulent');
  }
  const second = await reconcileByPages();
  for (const payment of payments) expect(about(second, payment)).toMatchObject([{ action: 'repaired' }]);
  expect((await reconcileByPages()).drifts).toEqual([]);
  expect((await reconcile(tollgate)).drifts).toEqual([]);
});

test('an import takes what is on every page, and nobody has access for a payment that went back', async () => {
  const { stripe, sandbox } = tollgate;
  const { body: prices } = await tollgate.secret.get('/prices?limit=100');
  const price = prices.data.find(({ lookup_key }: { lookup_key: string }) => lookup_key === 'monthly').id;
  const products = [await stripe.products.create({ name: 'One' }), await stripe.products.create({ name: 'Another' })];
  const subscriptions: string[] = [];
  for (let n = 0; n < 3; n++) {
    const customer = (await stripe.customers.create({})).id;
    const card = await stripe.paymentMethods.attach('pm_card_visa', { customer });
    const items = [{ price: price }];
    const { id } = await stripe.subscriptions.create({ customer, items, default_payment_method: card.id });
    sandbox.control.dispute(await paymentOf(id));
    subscriptions.push(id);
  }
  const id = 'imp_by_pages';
  const request = JSON.stringify({ products: 'all', customer_id_from: 'stripe_customer_id' });
  const asked = { project_id: tollgate.project.id, connection_id: 'default', request, dry_run: false, actor: 'test' };
  await deps()
    .db.insertInto('tollgate.imports')
    .values({ id, ...asked, status: 'queued', reason: 'A test', counts: '{}', created_at: new Date() })
    .execute();
  await importTask({ ...deps(), requestRecomputation }, { pace: createPace(null) })({ importId: id }, unhurried);
  const { body } = await tollgate.admin.get(`/admin/imports/${id}`);
  expect(body).toMatchObject({ status: 'completed', counts: { parked: 0, failed: 0 }, entitled: [] });
  const { rows } = await tollgate.database.pool.query(
    "select kind, count(*)::int from tollgate.fact_versions where cause ->> 'type' = 'import' group by kind order by kind",
  );
  expect(rows).toEqual([
    { kind: 'invoice_payment', count: subscriptions.length },
    { kind: 'subscription', count: subscriptions.length },
  ]);
  const gained = await tollgate.database.pool.query(
    `select from tollgate.snapshot_versions where cause ->> 'type' = 'import' and changes @> '[{"change": "gained"}]'`,
  );
  expect(gained.rows).toEqual([]);
  const known = (await tollgate.secret.get('/products?limit=100')).body.data.map(({ id }: { id: string }) => id);
  expect(known).toEqual(expect.arrayContaining(products.map((product) => product.id)));
  expect((await reconcile(tollgate)).drifts).toEqual([]);
});
