/** What has served its time is forgotten, and nothing that is told later goes wrong without it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Stripe } from '../../src/stripe/types.ts';
import { quiet } from '../support/reconciling.ts';
import { sign } from '../support/signed-events.ts';
import { startTollgate, type Tollgate, WEBHOOK_SECRET } from '../support/tollgate.ts';

let tollgate: Tollgate;
let stripe: Stripe;
let yearly: string;

beforeAll(async () => {
  tollgate = await startTollgate({ callsPerSecond: null });
  stripe = tollgate.stripe;
  const app = tollgate.secret;
  await app.post('/features', { code: 'pro', name: 'Pro', type: 'boolean' });
  const { body: product } = await app.post('/products', { name: 'Pro', features: [{ code: 'pro' }] });
  const price = { product: product.id, currency: 'eur', unit_amount: 9000, recurring: { interval: 'year' } };
  yearly = (await app.post('/prices', price)).body.id;
});
afterAll(() => tollgate.close());

async function subscribe(metadata: Record<string, string>) {
  const { id: customer } = await stripe.customers.create();
  const card = await stripe.paymentMethods.attach('pm_card_visa', { customer });
  const items = [{ price: yearly }];
  return await stripe.subscriptions.create({ customer, items, default_payment_method: card.id, metadata });
}

async function keepHouse() {
  await tollgate.database.pool.query("select graphile_worker.add_job('housekeeping', '{}')");
  await quiet(tollgate);
}

/** By the service's clock. */
const ago = (days: number) => new Date(tollgate.clock.now() - days * 24 * 60 * 60 * 1000);

const idsIn = async (table: string, like: string) => {
  const { rows } = await tollgate.database.pool.query(`select id from tollgate.${table} where id like $1 order by id`, [
    like,
  ]);
  return rows.map(({ id }) => id);
};

describe('an event', () => {
  test('is forgotten 90 days after it came, unless it waits or somebody has to look at it', async () => {
    for (const status of ['received', 'processed', 'ignored', 'parked', 'failed', 'dead']) {
      for (const days of [89, 91]) {
        await tollgate.database.pool.query(
          `insert into tollgate.events (connection_id, id, type, livemode, payload, status, created_at, received_at, processed_at)
           values ('default', $1, 'product.updated', false, '{}', $2, $3, $3, $3)`,
          [`evt_old_${status}_${days}`, status, ago(days)],
        );
      }
    }
    // Replayed yesterday: somebody may be looking at it.
    await tollgate.database.pool.query(
      `insert into tollgate.events (connection_id, id, type, livemode, payload, status, created_at, received_at, processed_at)
       values ('default', 'evt_old_replayed', 'product.updated', false, '{}', 'processed', $1, $1, $2)`,
      [ago(200), ago(1)],
    );
    await keepHouse();
    const left = ['dead_89', 'dead_91', 'failed_89', 'failed_91', 'ignored_89', 'parked_89', 'parked_91'];
    const right = [...left, 'processed_89', 'received_89', 'received_91', 'replayed'].map((name) => `evt_old_${name}`);
    expect(await idsIn('events', 'evt_old_%')).toEqual(right);
  });

  test('that is forgotten is named as a cause all the same, and changes nothing when Stripe sends it again', async () => {
    const subscription = await subscribe({ tollgate_project: tollgate.project.id, tollgate_customer: 'u_long_ago' });
    const explain = async () => (await tollgate.secret.get('/explain?customer_id=u_long_ago&feature=pro')).body;
    await tollgate.until(async () => (await explain()).entitled);
    await quiet(tollgate);
    const before = await explain();
    const about = `/admin/events/${before.cause.id}`;
    const { payload } = (await tollgate.admin.get(about)).body;
    tollgate.sandbox.control.advance({ days: 100 });
    await keepHouse();
    expect((await tollgate.admin.get(about)).status).toBe(404);
    expect(await explain()).toMatchObject({ cause: { type: 'event', id: payload.id }, version: before.version });

    const body = JSON.stringify(payload);
    const headers = { 'content-type': 'application/json', 'stripe-signature': sign(body, WEBHOOK_SECRET) };
    const answer = await fetch(`${tollgate.url}/api/v1/webhooks/stripe`, { method: 'POST', headers, body });
    expect(answer.status).toBe(200);
    await quiet(tollgate);
    expect((await tollgate.admin.get(about)).body).toMatchObject({ status: 'processed', attempts: 1 });
    expect(await explain()).toMatchObject({ entitled: true, cause: before.cause, version: before.version });
    const { rows } = await tollgate.database.pool.query(
      'select count(*)::int as versions from tollgate.fact_versions where object_id = $1',
      [subscription.id],
    );
    expect(rows).toEqual([{ versions: 1 }]);
  });

  test('of a dispute is not missed when the subscription of nobody that it concerned is attached long after', async () => {
    const subscription = await subscribe({});
    const parked = async () =>
      (await tollgate.admin.get(`/admin/parked?status=open&object_id=${subscription.id}`)).body.data[0];
    await tollgate.until(async () => (await parked()) !== undefined);
    const { id } = await parked();
    await tollgate.admin.post(`/admin/parked/${id}/dismiss`, { reason: 'Not ours' });
    await quiet(tollgate);
    const { data } = await stripe.invoicePayments.list({ invoice: String(subscription.latest_invoice) });
    const payment = String(data[0]?.payment.payment_intent);
    tollgate.sandbox.control.dispute(payment);
    const events = async () => (await tollgate.admin.get(`/admin/events?object_id=${payment}`)).body.data;
    await tollgate.until(async () => (await events())[0]?.status === 'ignored', 10_000, 'the dispute is ignored');
    await quiet(tollgate);
    tollgate.sandbox.control.advance({ days: 100 });
    await keepHouse();
    expect(await events()).toEqual([]);
    const decision = { project_id: tollgate.project.id, customer_id: 'changed_mind', reason: 'They wrote to us' };
    await tollgate.admin.post(`/admin/parked/${id}/attach`, decision);
    await quiet(tollgate);
    tollgate.sandbox.control.advance({ seconds: 2 });
    const { body } = await tollgate.secret.get('/check?customer_id=changed_mind&feature=pro');
    expect(body).toMatchObject({ entitled: false, reason: 'disputed' });
  });
});

describe('a reconciliation', () => {
  /** With one drift. */
  async function run(id: string, days: number, fields: object = {}) {
    const row = { status: 'completed', trigger: 'schedule', dry_run: false, project_id: null, ...fields };
    await tollgate.database.pool.query(
      `insert into tollgate.reconciliation_runs (id, status, trigger, dry_run, project_id, created_at, finished_at)
       values ($1, $2, $3, $4, $5, $6, $6)`,
      [`run_0${id}`, row.status, row.trigger, row.dry_run, row.project_id, ago(days)],
    );
    await tollgate.database.pool.query(
      `insert into tollgate.drifts (id, run_id, kind, object_type, object_id, cause, action, detected_at)
       values ($1, $2, 'different', 'product', 'prod_1', 'no_event', 'repaired', $3)`,
      [`drift_0${id}`, `run_0${id}`, ago(days)],
    );
  }

  test('is forgotten with its drifts a year after it ended, but not the last of its scope that was completed', async () => {
    const project = { project_id: tollgate.project.id };
    await run('a', 800);
    await run('b', 700, { trigger: 'continuous' });
    await run('c', 600, { dry_run: true });
    await run('d', 500, project);
    await run('e', 480, { ...project, status: 'running' });
    await run('f', 460, { status: 'failed' });
    await run('g', 440, { trigger: 'continuous' });
    await run('h', 420, { trigger: 'manual' });
    await run('i', 366);
    await run('j', 364);
    await run('k', 363, { status: 'failed' });
    await keepHouse();
    const left = ['c', 'd', 'e', 'g', 'j', 'k'];
    expect(await idsIn('reconciliation_runs', 'run_0%')).toEqual(left.map((id) => `run_0${id}`));
    expect(await idsIn('drifts', 'drift_0%')).toEqual(left.map((id) => `drift_0${id}`));
    const { body } = await tollgate.admin.get('/admin/reconciliations/run_0a');
    expect(body).toMatchObject({ status: 404, code: 'not_found' });
  });
});

test('a recomputation is forgotten 30 days after it has ended, and not before', async () => {
  for (const [id, status, days] of [
    ['rec_0a', 'completed', 31],
    ['rec_0b', 'completed', 29],
    ['rec_0c', 'queued', null],
    ['rec_0d', 'running', null],
  ]) {
    await tollgate.database.pool.query(
      `insert into tollgate.recomputations (id, project_id, cause, status, created_at, finished_at)
       values ($1, $2, '{"type": "catalog", "id": "a"}', $3, now() - interval '90 days', now() - $4 * interval '1 day')`,
      [id, tollgate.project.id, status, days],
    );
  }
  await keepHouse();
  expect(await idsIn('recomputations', 'rec_0%')).toEqual(['rec_0b', 'rec_0c', 'rec_0d']);
});
