/** Differences of every kind, planted: each is found with its cause, dry and real alike, and gone afterwards. */
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLog } from '../../src/platform/log.ts';
import type { Client } from '../support/client.ts';
import { about, type DriftOfRun, eventTypes, type FinishedRun, quiet, reconcile } from '../support/reconciling.ts';
import { startTollgate, type Tollgate, WEBHOOK_SECRET } from '../support/tollgate.ts';

/** No event of the sandbox arrives unless a test says so. */
let tollgate: Tollgate;
let app: Client;
/** The lines of the level `error`. */
const logged: string[] = [];
const alarms = () => logged.map((line) => JSON.parse(line)).filter(({ alert }) => alert === 'reconciliation_drift');

beforeAll(async () => {
  const log = createLog('error', { write: (line) => void logged.push(line) });
  tollgate = await startTollgate({ deaf: true, callsPerSecond: null, log });
  app = tollgate.secret;
  await app.post('/features', { code: 'pro', name: 'Pro', type: 'boolean' });
  const { body: plan } = await app.post('/products', { name: 'Plan', features: [{ code: 'pro' }] });
  const monthly = { product: plan.id, currency: 'usd', unit_amount: 1000, recurring: { interval: 'month' } };
  await app.post('/prices', { ...monthly, lookup_key: 'monthly' });
  await quiet(tollgate);
});
afterAll(() => tollgate.close());

async function subscribe(customerId: string): Promise<string> {
  const urls = { success_url: 'http://localhost/done', cancel_url: 'http://localhost/' };
  const { body } = await app.post('/checkout/sessions', { customer_id: customerId, lookup_key: 'monthly', ...urls });
  tollgate.sandbox.control.payCheckout(body.id);
  const { subscription } = await tollgate.stripe.checkout.sessions.retrieve(body.id);
  return String(subscription);
}

async function isEntitled(customerId: string): Promise<boolean> {
  return (await app.get(`/check?customer_id=${customerId}&feature=pro`)).body.entitled;
}

async function idOf(externalId: string): Promise<string> {
  const { rows } = await tollgate.database.pool.query('select id from tollgate.customers where external_id = $1', [
    externalId,
  ]);
  return rows[0].id;
}

const planted = () => tollgate.database.db;
/** Later than every event that has not arrived: none of them can tell of a change after it. */
const later = () => new Date(tollgate.clock.now() + 5 * 60_000);
const cancels = sql<never>`body || '{"cancelAtPeriodEnd": true}'`;

/** As if the mirror had saved something that Stripe does not say (any more). */
async function saved(subscription: string): Promise<void> {
  await planted()
    .updateTable('tollgate.facts')
    .set({ body: cancels, recorded_at: later() })
    .where('object_id', '=', subscription)
    .execute();
  await planted()
    .updateTable('tollgate.fact_versions')
    .set({ body: cancels })
    .where('object_id', '=', subscription)
    .execute();
  const { customer_id } = await planted()
    .selectFrom('tollgate.facts')
    .select('customer_id')
    .where('object_id', '=', subscription)
    .executeTakeFirstOrThrow();
  await planted()
    .updateTable('tollgate.snapshots')
    .set({ body: sql`replace(body::text, '"willRenew": true', '"willRenew": false')::jsonb` })
    .where('customer_id', '=', customer_id)
    .execute();
}

/** What a run says of each object, without what differs from run to run. */
function told(run: FinishedRun) {
  const of = ({ object_type, object_id, kind, cause, fields, arose_at }: DriftOfRun) => [
    `${object_type} ${object_id}`,
    { kind, cause, arose_at, fields },
  ];
  return Object.fromEntries(run.drifts.map(of));
}

test('every planted difference is found with its cause, dry and real alike, and a second run finds nothing', async () => {
  const names = ['gone', 'changed', 'silent', 'stale', 'tampered', 'unversioned', 'snapshot', 'left'];
  const id: Record<string, string> = {};
  for (const name of names) id[name] = await subscribe(name);
  await app.get('/customers');
  const grant = (
    await tollgate.admin.post('/admin/grant', {
      project_id: tollgate.project.id,
      customer_id: 'granted',
      feature: 'pro',
      reason: 'A present',
    })
  ).body.id;
  await reconcile(tollgate);
  expect((await reconcile(tollgate)).drifts).toEqual([]);

  // Stripe changed, and its event never came.
  const bought = await subscribe('new');
  await tollgate.stripe.subscriptions.cancel(id.changed ?? '');
  const gone = (await app.get('/customers/gone')).body.stripe_customer_id;
  await tollgate.stripe.customers.del(gone);
  // What is stored is not what Stripe says, and no event tells why; or the last one's fetch had been overtaken.
  await saved(id.silent ?? '');
  await saved(id.stale ?? '');
  await planted()
    .insertInto('tollgate.events')
    .values({
      connection_id: 'default',
      id: 'evt_overtaken',
      type: 'customer.subscription.updated',
      livemode: false,
      object_type: 'subscription',
      object_id: id.stale ?? null,
      payload: '{}',
      status: 'processed',
      reason: 'stale',
      created_at: later(),
      received_at: later(),
      processed_at: later(),
    })
    .execute();
  // Somebody wrote to the database.
  await planted()
    .updateTable('tollgate.facts')
    .set({ body: cancels })
    .where('object_id', '=', id.tampered ?? '')
    .execute();
  await planted()
    .deleteFrom('tollgate.fact_versions')
    .where('object_id', '=', id.unversioned ?? '')
    .execute();
  await planted()
    .updateTable('tollgate.snapshots')
    .set({ body: '{"features": {}}' })
    .where('external_id', '=', 'snapshot')
    .execute();
  await planted()
    .updateTable('tollgate.facts')
    .set({ body: sql`body || '{"effect": "deny"}'` })
    .where('object_id', '=', grant)
    .execute();
  // Made by hand in Stripe, for nobody.
  const own = (await app.get('/prices')).body.data[0];
  const stranger = await tollgate.stripe.customers.create({ email: 'stranger@example.com' });
  const unowned = await tollgate.stripe.subscriptions.create({
    customer: stranger.id,
    items: [{ price: own.id }],
    trial_period_days: 7,
  });

  const dry = await reconcile(tollgate, { dry_run: true });
  expect(await isEntitled('new')).toBe(false);
  const run = await reconcile(tollgate);
  expect(told(dry)).toEqual(told(run));
  expect(new Set(dry.drifts.map(({ action }) => action))).toEqual(new Set(['would_repair', 'needs_person']));
  expect(new Set(run.drifts.map(({ action }) => action))).toEqual(new Set(['repaired', 'needs_person']));

  const ours = { kind: 'contradiction', cause: 'ours', arose_at: null };
  const lost = { cause: 'event_not_delivered', arose_at: expect.any(String) };
  expect(told(run)).toMatchObject({
    [`subscription ${bought}`]: { kind: 'missing_locally', ...lost },
    [`subscription ${id.changed}`]: { kind: 'different', ...lost },
    [`subscription ${id.gone}`]: { kind: 'different', ...lost },
    [`customer ${gone}`]: { kind: 'different', ...lost },
    [`subscription ${id.silent}`]: { kind: 'different', cause: 'no_event' },
    [`subscription ${id.stale}`]: { kind: 'different', cause: 'event_stale' },
    [`subscription ${id.tampered}`]: { kind: 'different', cause: 'ours' },
    [`subscription ${id.unversioned}`]: ours,
    [`snapshot ${await idOf('snapshot')}`]: ours,
    [`grant ${grant}`]: { ...ours, fields: [{ field: 'effect', before: 'deny', after: 'allow' }] },
    [`subscription ${unowned.id}`]: { kind: 'unattributed' },
  });
  expect(run.drifts).toHaveLength(11);
  expect(run.drifts.find(({ object_id }) => object_id === bought)?.lasted_seconds).toBeGreaterThanOrEqual(0);
  expect(run.counts).toMatchObject({ drifts: 11, repaired: 10, needs_person: 1 });
  expect(run.alert).toBe(false);

  const second = await reconcile(tollgate);
  expect(second.drifts.map(({ object_id, action }) => [object_id, action])).toEqual([[unowned.id, 'needs_person']]);
  const entitled = await Promise.all(['new', 'snapshot', 'granted', 'silent', 'gone', 'changed'].map(isEntitled));
  expect(entitled).toEqual([true, true, true, true, false, false]);

  const list = await tollgate.admin.get('/admin/reconciliations?cause=ours&action=repaired');
  expect(list.body.data.map((found: { id: string }) => found.id)).toEqual([run.id]);
  const grants = await tollgate.admin.get(`/admin/reconciliations/${run.id}?cause=ours&kind=contradiction&limit=2`);
  expect(grants.body).toMatchObject({ drifts_has_more: true, drifts: [{ cause: 'ours' }, { cause: 'ours' }] });
  const metrics = await (await fetch(`${tollgate.url}/metrics`)).text();
  expect(metrics).toMatch(/tollgate_reconciliation_drifts\{kind="contradiction",cause="ours",action="repaired"\} 3/);
  expect(metrics).toMatch(/tollgate_reconciliation_last_completed_seconds \d/);
}, 60_000);

test('a refund of which nobody heard comes along with its subscription of which nobody heard, dry and real alike', async () => {
  const { stripe, sandbox } = tollgate;
  const refunded = async (customerId: string) => {
    const subscription = await subscribe(customerId);
    const { latest_invoice } = await stripe.subscriptions.retrieve(subscription);
    const { data } = await stripe.invoicePayments.list({ invoice: String(latest_invoice) });
    const payment = String(data[0]?.payment.payment_intent);
    const refund = await stripe.refunds.create({ payment_intent: payment });
    return { subscription, payment, refund: refund.id };
  };
  const standing = await refunded('refunded');
  const ended = await refunded('refunded_and_canceled');
  await stripe.subscriptions.cancel(ended.subscription);
  const failed = await refunded('refunded_in_vain');
  sandbox.control.failRefund(failed.refund);

  const dry = await reconcile(tollgate, { project_id: tollgate.project.id, dry_run: true });
  const run = await reconcile(tollgate, { project_id: tollgate.project.id });
  expect(told(dry)).toEqual(told(run));
  // No first look asks what became of the payments of what has ended, nor finds a refund that took nothing.
  const found = [standing.subscription, ended.subscription, ended.payment, failed.subscription, failed.payment];
  expect(run.drifts.map(({ object_id }) => object_id).sort()).toEqual(found.sort());
  expect((await reconcile(tollgate, { project_id: tollgate.project.id })).drifts).toEqual([]);
});

test.each([
  ['failed, and is tried again', { status: 'failed' }, 'event_failed'],
  ['failed for good', { status: 'dead' }, 'event_failed'],
  ['waits until it can be attributed', { status: 'parked' }, 'event_parked'],
  ['came a moment ago', { status: 'received' }, 'event_pending'],
  [
    'never came, and was found in Stripe’s list since',
    { status: 'processed', source: 'listed' },
    'event_not_delivered',
  ],
] as const)(
  'a difference whose event %s is told as that, dry and real, since that event',
  async (_what, fate, cause) => {
    const customer = `of_${fate.status}_${cause}`;
    const subscription = await subscribe(customer);
    await reconcile(tollgate, { project_id: tollgate.project.id });
    await saved(subscription);
    const made = later();
    await planted()
      .insertInto('tollgate.events')
      .values({
        connection_id: 'default',
        id: `evt_${customer}`,
        type: 'customer.subscription.updated',
        livemode: false,
        object_type: 'subscription',
        object_id: subscription,
        payload: '{}',
        created_at: made,
        received_at: made,
        ...fate,
      })
      .execute();
    const scope = { project_id: tollgate.project.id, customer_id: customer };
    const drift = { kind: 'different', cause, arose_at: made.toISOString() };
    const dry = about(await reconcile(tollgate, { ...scope, dry_run: true }), subscription);
    expect(dry).toMatchObject([{ ...drift, action: 'would_repair' }]);
    expect(about(await reconcile(tollgate, scope), subscription)).toMatchObject([{ ...drift, action: 'repaired' }]);
  },
);

test('more drift than happens by itself raises an alarm: with the run, in the log and as a metric', async () => {
  const metric = async () =>
    /^tollgate_reconciliation_alert (\d)$/m.exec(await (await fetch(`${tollgate.url}/metrics`)).text())?.[1];
  expect(alarms()).toEqual([]);
  for (let n = 0; n < 11; n++) await subscribe(`many_${n}`);
  const run = await reconcile(tollgate);
  expect(run.alert).toBe(true);
  expect(alarms()).toMatchObject([{ level: 'error', run_id: run.id, counts: { repaired: run.counts.repaired } }]);
  await tollgate.until(async () => (await metric()) === '1', 60_000, 'the metric tells of it');
  expect((await reconcile(tollgate)).alert).toBe(false);
  await tollgate.until(async () => (await metric()) === '0', 60_000, 'the metric is back');
  expect(alarms()).toHaveLength(1);
}, 120_000);

test('an event that the endpoint does not take was never to come: it is not what a drift is blamed on', async () => {
  const endpoint = { url: `${tollgate.url}/api/v1/webhooks/stripe`, secret: WEBHOOK_SECRET };
  tollgate.sandbox.deliverTo([{ ...endpoint, events: eventTypes }]);
  const { body: life } = await app.post('/products', { name: 'For life', features: [{ code: 'pro' }] });
  await app.post('/prices', { product: life.id, currency: 'usd', unit_amount: 9900, lookup_key: 'life' });
  const urls = { success_url: 'http://localhost/done', cancel_url: 'http://localhost/' };
  const { body: session } = await app.post('/checkout/sessions', { customer_id: 'owner', lookup_key: 'life', ...urls });
  tollgate.sandbox.control.payCheckout(session.id);
  await tollgate.sandbox.control.settled();
  await quiet(tollgate);
  const { payment_intent: payment } = await tollgate.stripe.checkout.sessions.retrieve(session.id);
  const { numDeletedRows } = await planted()
    .deleteFrom('tollgate.facts')
    .where('object_id', '=', String(payment))
    .executeTakeFirst();
  expect(numDeletedRows).toBe(1n);
  const run = await reconcile(tollgate, { project_id: tollgate.project.id });
  expect(about(run, String(payment))).toMatchObject([
    { kind: 'missing_locally', cause: 'event_processed', action: 'repaired' },
  ]);
});
