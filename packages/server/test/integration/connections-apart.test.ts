/** Projects on several Stripe accounts: they buy, renew and are reconciled, and nothing of one shows in the other. */
import { type Sandbox, startSandbox } from '@tollgate/stripe-sandbox';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { syncObject } from '../../src/mirror/sync-object.ts';
import { createConnections, createStripeClient } from '../../src/stripe/connections.ts';
import type { Client } from '../support/client.ts';
import { customer, DAY, item, price, subscription } from '../support/mirror-objects.ts';
import { startScriptedStripe } from '../support/mirror-stripe.ts';
import { startMirrorWorld } from '../support/mirror-world.ts';
import { reconcile } from '../support/reconciling.ts';
import { eventAbout, sign } from '../support/signed-events.ts';
import { startTollgate, type Tollgate, WEBHOOK_SECRET } from '../support/tollgate.ts';

const URLS = { success_url: 'https://app.example.com/done', cancel_url: 'https://app.example.com/' };

interface Shop {
  connection: string;
  sandbox: Sandbox;
  projectId: string;
  app: Client;
}

let home: Sandbox;
let tollgate: Tollgate;
let shops: Shop[];

beforeAll(async () => {
  home = await startSandbox({ seed: 11 });
  tollgate = await startTollgate({ sandbox: home, deaf: true, callsPerSecond: null });
  shops = [await shop('default', home)];
  for (const [seed, connection] of ['acme', 'zeta'].entries()) {
    const sandbox = await startSandbox({ seed });
    const secret_key = `sk_test_of_${connection}`;
    const made = await tollgate.admin.post('/admin/connections', { id: connection, secret_key, api_base: sandbox.url });
    expect(made.status).toBe(201);
    shops.push(await shop(connection, sandbox));
  }
  for (const { connection } of shops) {
    const url = `${tollgate.url}/api/v1/webhooks/stripe/${connection}`;
    expect((await tollgate.admin.post(`/admin/connections/${connection}/webhook`, { url })).status).toBe(201);
  }
});
afterAll(async () => {
  await tollgate?.close();
  await Promise.all((shops ?? []).map(({ sandbox }) => sandbox.close()));
});

/** Every account has a product and a price of the same ids, and every project customers of the same ids. */
async function shop(connection: string, sandbox: Sandbox): Promise<Shop> {
  const stripe = createStripeClient({ secretKey: 'sk_test_by_hand', apiBase: sandbox.url });
  await stripe.products.create({ id: 'prod_pro', name: `Pro of ${connection}` });
  await stripe.prices.create({
    product: 'prod_pro',
    currency: 'eur',
    unit_amount: 900,
    recurring: { interval: 'month' },
    lookup_key: 'pro_monthly',
  });
  const { body } = await tollgate.admin.post('/admin/projects', { name: connection, slug: connection, connection });
  const app = tollgate.as(body.secret_key);
  expect((await app.post('/features', { code: 'pro', name: 'Pro', type: 'boolean' })).status).toBe(201);
  expect((await app.post('/products/import', { stripe_product_id: 'prod_pro' })).status).toBe(201);
  expect((await app.put('/products/prod_pro/features', { features: [{ code: 'pro' }] })).status).toBe(200);
  return { connection, sandbox, projectId: body.id, app };
}

const entitled = async ({ app }: Shop, customer: string) =>
  (await app.get(`/check?customer_id=${customer}&feature=pro`)).body.entitled as boolean;

async function buy({ app, sandbox }: Shop, customer_id: string): Promise<void> {
  const { status, body } = await app.post('/checkout/sessions', { customer_id, lookup_key: 'pro_monthly', ...URLS });
  expect(status).toBe(201);
  sandbox.control.payCheckout(body.id);
}

test('a product of the same id is another product in each account', async () => {
  for (const { app, connection } of shops) {
    expect((await app.get('/products/prod_pro')).body.name).toBe(`Pro of ${connection}`);
  }
});

test('what is bought in one account gives nothing in another', async () => {
  const [first, second, third] = shops as [Shop, Shop, Shop];
  await buy(first, 'u_1');
  await buy(second, 'u_2');
  await tollgate.until(async () => (await entitled(first, 'u_1')) && (await entitled(second, 'u_2')));
  for (const customer of ['u_1', 'u_2']) expect(await entitled(third, customer)).toBe(false);
  expect([await entitled(first, 'u_2'), await entitled(second, 'u_1')]).toEqual([false, false]);
  for (const { app, connection } of [first, second]) {
    const { data } = (await app.get('/customers')).body;
    expect(data).toHaveLength(1);
    const events = (await tollgate.admin.get(`/admin/events?connection=${connection}&limit=100`)).body.data;
    expect(events.every((event: { connection: string }) => event.connection === connection)).toBe(true);
    expect(events.filter(({ status }: { status: string }) => ['dead', 'failed', 'parked'].includes(status))).toEqual(
      [],
    );
  }
});

test('a change or the end of a product in one account leaves that of the other as it is', async () => {
  const [first, second] = shops as [Shop, Shop, Shop];
  const stripe = createStripeClient({ secretKey: 'sk_test_by_hand', apiBase: second.sandbox.url });
  await stripe.products.update('prod_pro', { name: 'Changed', active: false });
  await tollgate.until(async () => (await second.app.get('/products/prod_pro')).body.name === 'Changed');
  expect((await first.app.get('/products/prod_pro')).body).toMatchObject({ name: 'Pro of default', active: true });
  expect(await entitled(second, 'u_2')).toBe(true);
});

test('an event about a subscription of another account finds nobody, and ends nothing', async () => {
  const rows = await tollgate.database.db
    .selectFrom('tollgate.facts')
    .select(['project_id', 'object_id', 'body'])
    .where('kind', '=', 'subscription')
    .execute();
  const [first, second] = shops as [Shop, Shop, Shop];
  const theirs = rows.find(({ project_id }) => project_id === first.projectId);
  expect(theirs).toBeDefined();
  // What the first account calls so, the second one does not have.
  const event = eventAbout('customer.subscription.deleted', { id: theirs?.object_id, object: 'subscription' });
  const body = JSON.stringify(event);
  const at = `${tollgate.url}/api/v1/webhooks/stripe/${second.connection}`;
  const send = (secret: string) =>
    fetch(at, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'stripe-signature': sign(body, secret) },
      body,
    });
  expect((await send(WEBHOOK_SECRET)).status).toBe(400);
  const added = { add_webhook_secrets: ['whsec_of_the_test'] };
  expect((await tollgate.admin.patch(`/admin/connections/${second.connection}`, added)).status).toBe(200);
  expect((await send('whsec_of_the_test')).status).toBe(200);
  const settled = async () => (await tollgate.admin.get(`/admin/events/${event.id}`)).body;
  await tollgate.until(async () => (await settled()).status === 'ignored');
  expect((await settled()).reason).toBe('missing_in_stripe');
  expect(await entitled(first, 'u_1')).toBe(true);
});

test('one reconciliation goes over all accounts, repairs each from its own, and a second finds nothing', async () => {
  const [first, second, third] = shops as [Shop, Shop, Shop];
  for (const { sandbox } of shops) sandbox.control.setFaults({ drop: 1 });
  await buy(third, 'u_3');
  const stripe = createStripeClient({ secretKey: 'sk_test_by_hand', apiBase: first.sandbox.url });
  const [standing] = (await stripe.subscriptions.list({ limit: 1 })).data;
  await stripe.subscriptions.cancel(standing?.id as string);
  await stripe.products.update('prod_pro', { name: 'Renamed' });
  expect([await entitled(first, 'u_1'), await entitled(third, 'u_3')]).toEqual([true, false]);
  const run = await reconcile(tollgate);
  expect(run.status).toBe('completed');
  const drifts = run.drifts as ((typeof run.drifts)[number] & { connection: string })[];
  expect(drifts.map(({ connection, object_type, action }) => [connection, object_type, action]).sort()).toEqual(
    expect.arrayContaining([
      ['default', 'product', 'repaired'],
      ['default', 'subscription', 'repaired'],
      ['zeta', 'subscription', 'repaired'],
    ]),
  );
  expect(drifts.some(({ connection }) => connection === second.connection)).toBe(false);
  expect([await entitled(first, 'u_1'), await entitled(second, 'u_2'), await entitled(third, 'u_3')]).toEqual([
    false,
    true,
    true,
  ]);
  expect((await second.app.get('/products/prod_pro')).body.name).toBe('Changed');
  expect((await reconcile(tollgate)).drifts).toEqual([]);
  for (const { sandbox } of shops) sandbox.control.clearFaults();
});

test('renewals of one account move its own windows alone', async () => {
  const [, second, third] = shops as [Shop, Shop, Shop];
  const validTo = async (of: Shop, customer: string) =>
    Date.parse((await of.app.get(`/check?customer_id=${customer}&feature=pro`)).body.valid_to);
  const [before, other] = [await validTo(second, 'u_2'), await validTo(third, 'u_3')];
  second.sandbox.control.advance({ days: 32 });
  await second.sandbox.control.settled();
  await tollgate.until(async () => (await validTo(second, 'u_2')) >= before + 28 * DAY * 1000);
  expect(await validTo(third, 'u_3')).toBe(other);
});

test('the same subscription and customer ids in two accounts are two of each', async () => {
  const world = await startMirrorWorld();
  const other = await startScriptedStripe();
  const { db } = world.database;
  const ofWorld = world.deps.connections.get('default');
  const client = createStripeClient({ secretKey: 'sk_test_other', apiBase: other.url });
  const connections = createConnections([ofWorld, { ...ofWorld, id: 'other', client }]);
  const deps = { ...world.deps, connections };
  const [here, there] = [await world.addProject('pro'), await world.addProject('pro', 'other')];
  for (const projectId of [here, there]) await world.addCustomer(projectId, 'u_1', 'cus_1');
  await db.updateTable('tollgate.customers').set({ connection_id: 'other' }).where('project_id', '=', there).execute();
  const has = (status: string) =>
    subscription('sub_1', 'cus_1', [item('si_1', price('price_pro', 'prod_pro'))], { status });
  world.stripe.put(customer('cus_1', { email: 'here@example.com' }), has('active'));
  other.put(customer('cus_1', { email: 'there@example.com' }), has('unpaid'));
  for (const connectionId of ['default', 'other']) {
    for (const [type, id] of [
      ['subscription', 'sub_1'],
      ['customer', 'cus_1'],
    ] as const) {
      const cause = { type: 'event', id: 'evt_1' } as const;
      expect((await syncObject(deps, { connectionId, ref: { type, id }, cause })).status).toBe('applied');
    }
  }
  expect((await world.access(here, 'u_1')).entitled).toBe(true);
  expect((await world.access(there, 'u_1')).reason).toBe('unpaid');
  const customers = await db.selectFrom('tollgate.customers').select(['project_id', 'email']).execute();
  expect(new Map(customers.map(({ project_id, email }) => [project_id, email]))).toEqual(
    new Map([
      [here, 'here@example.com'],
      [there, 'there@example.com'],
    ]),
  );
  // The end of one in its account is not that of the other.
  other.remove('sub_1');
  const gone = {
    connectionId: 'other',
    ref: { type: 'subscription', id: 'sub_1' },
    cause: { type: 'event', id: 'evt_2' },
  } as const;
  await syncObject(deps, gone);
  expect((await world.access(here, 'u_1')).entitled).toBe(true);
  await Promise.all([other.close(), world.close()]);
});
