/** What becomes of an import that something stands in the way of. */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { importTask } from '../../src/adoption/run.ts';
import { requestRecomputation } from '../../src/entitlements/recompute-customers.ts';
import { createLog } from '../../src/platform/log.ts';
import { createConnections, createStripeClient } from '../../src/stripe/connections.ts';
import { createPace } from '../../src/stripe/pace.ts';
import type { Json } from '../support/mirror-stripe.ts';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

const LONGEST_PAUSE_MS = 1_500;

let tollgate: Tollgate;
beforeAll(async () => {
  tollgate = await startTollgate({ deaf: true, callsPerSecond: null });
  await tollgate.stripe.products.create({ name: 'Pro' });
});
afterAll(() => tollgate.close());

interface Attempt {
  attempt?: number;
  dryRun?: boolean;
  /** In place of the sandbox. */
  apiBase?: string;
  /** How often a call is tried. */
  tries?: number;
  products?: 'all' | { product: string }[];
}

/** Makes one attempt at an import whose job is taken away, so that nobody else works on it meanwhile. */
async function begin(id: string, { attempt = 10, dryRun = false, apiBase, tries = 1, products = 'all' }: Attempt) {
  const { db } = tollgate.database;
  const request = JSON.stringify({ products, customer_id_from: 'stripe_customer_id' });
  const asked = { project_id: tollgate.project.id, connection_id: 'default', request, dry_run: dryRun, actor: 'test' };
  await db
    .insertInto('tollgate.imports')
    .values({ id, ...asked, status: 'queued', reason: 'A test', counts: '{}', created_at: new Date() })
    .execute();
  const client = apiBase === undefined ? tollgate.stripe : createStripeClient({ secretKey: 'sk_test_tests', apiBase });
  const connection = { id: 'default', client, webhookSecrets: ['whsec_unused'], livemode: false };
  const task = importTask(
    {
      db,
      clock: tollgate.clock,
      connections: createConnections([{ ...connection, installation: 'tests' }]),
      log: createLog('silent'),
      requestRecomputation,
    },
    { pace: createPace(null), retry: { maxAttempts: tries, baseMs: 1, capMs: LONGEST_PAUSE_MS } },
  );
  const signal = new AbortController().signal;
  return { ended: task({ importId: id }, { attempt, maxAttempts: 10, signal }) };
}

async function importOf(id: string) {
  return (await tollgate.admin.get(`/admin/imports/${id}`)).body;
}

/** The sandbox, some of whose answers to a GET are changed. */
async function startChangedStripe(change: (path: string, object: Json) => void | Promise<void>) {
  const server = createServer(async (request, response) => {
    const { authorization = '' } = request.headers;
    const at = request.url ?? '/';
    const answer = await fetch(tollgate.sandbox.url + at, { headers: { authorization } });
    const body: Json = await answer.json();
    for (const object of body.data ?? [body]) await change(at, object);
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, [Symbol.dispose]: () => void server.close() };
}

/** Somebody who pays every month, and has been there for one. */
async function subscribe(asked?: string) {
  const { stripe } = tollgate;
  const product = asked ?? String((await stripe.products.list({ limit: 1 })).data[0]?.id);
  const terms = { product, currency: 'eur', unit_amount: 900 };
  const monthly = await stripe.prices.create({ ...terms, recurring: { interval: 'month' } });
  const customer = await stripe.customers.create({});
  const card = await stripe.paymentMethods.attach('pm_card_visa', { customer: customer.id });
  const subscription = await stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price: monthly.id }],
    default_payment_method: card.id,
  });
  const invoice = String(subscription.latest_invoice);
  const [payment] = (await stripe.invoicePayments.list({ invoice })).data;
  const intent = String(payment?.payment.payment_intent);
  return { terms, customer: customer.id, subscription: subscription.id, invoice, intent };
}

/** As often as the SDK asks for one answer. */
function refuse(path: string): void {
  tollgate.sandbox.control.failRequests({ method: 'GET', path, times: 2, outcome: 500 });
}

test('a failure before the last attempt leaves it to the next one', async () => {
  refuse('/v1/products');
  const id = 'imp_early';
  const { ended } = await begin(id, { attempt: 1 });
  await expect(ended).rejects.toThrow();
  expect(await importOf(id)).toMatchObject({ status: 'running', error: null });
  await tollgate.database.db.deleteFrom('tollgate.imports').where('id', '=', id).execute();
});

test('a failure after it has come further is none in a row: it rests, and goes on at its place', async () => {
  refuse('/v1/checkout/sessions');
  const id = 'imp_further';
  const { ended } = await begin(id, { attempt: 10 });
  await ended;
  expect(await importOf(id)).toMatchObject({ status: 'running', progress: { step: 'payments' } });
  await tollgate.until(async () => (await importOf(id)).status === 'completed', 30_000, 'it is completed');
  expect(await importOf(id)).toMatchObject({ counts: { products: 1 } });
});

test('a failure at the last attempt ends it with the reason; no job is given up for it', async () => {
  refuse('/v1/products');
  const id = 'imp_last';
  const { ended } = await begin(id, { attempt: 10 });
  await ended;
  expect(await importOf(id)).toMatchObject({ status: 'failed', error: expect.stringMatching(/\S/) });
  const { body: trail } = await tollgate.admin.get('/admin/audit?action=import.failed&limit=1');
  expect(trail.data).toMatchObject([{ detail: { import: id } }]);
});

test('what cannot be understood is counted and listed, whatever it is, and the import goes on', async () => {
  const { stripe, sandbox, admin } = tollgate;
  const { terms, customer, invoice, intent, subscription } = await subscribe();
  await stripe.refunds.create({ payment_intent: intent, amount: 100 });
  const once = await stripe.prices.create(terms);
  const { id: session } = await stripe.checkout.sessions.create({
    mode: 'payment',
    customer,
    line_items: [{ price: once.id, quantity: 1 }],
    success_url: 'https://shop.example/thanks',
  });
  sandbox.control.payCheckout(session);
  const paid = String((await stripe.checkout.sessions.retrieve(session)).payment_intent);
  using changed = await startChangedStripe((path, object) => {
    if (path.startsWith('/v1/invoices') && object.id === invoice) object.amount_paid = 'much';
    if (path.startsWith('/v1/checkout') && object.id === session) object.amount_total = 'much';
  });
  const listed = async (id: string) => {
    const { body } = await admin.get(`/admin/imports/${id}/parked`);
    return body.data.map((one: Json) => `${one.object_type} ${one.object_id} ${one.reason}`).sort();
  };
  const unreadable = [`payment ${intent} unreadable`, `payment ${paid} unreadable`];

  await (await begin('imp_dry', { dryRun: true, apiBase: changed.url })).ended;
  expect(await importOf('imp_dry')).toMatchObject({ status: 'completed', error: null, counts: { failed: 2 } });
  expect(await listed('imp_dry')).toEqual(unreadable.sort());
  await (await begin('imp_real', { apiBase: changed.url })).ended;
  expect(await importOf('imp_real')).toMatchObject({ status: 'completed', error: null });
  expect((await importOf('imp_real')).counts).toMatchObject({ failed: 4, applied: 0, purchases: 1, money_back: 1 });
  // Of a subscription with money back nobody has access before it is known what became of its payments.
  const more = [`invoice ${invoice} unreadable`, `subscription ${subscription} unreadable`];
  expect(await listed('imp_real')).toEqual([...more, ...unreadable].sort());
});

test('the payments of an invoice beyond the tenth are asked for as patiently as everything else', async () => {
  const { invoice } = await subscribe();
  using changed = await startChangedStripe((path, object) => {
    if (path.startsWith('/v1/invoices?') && object.id === invoice) object.payments.has_more = true;
  });
  refuse('/v1/invoice_payments');
  await (await begin('imp_patient', { apiBase: changed.url, tries: 2 })).ended;
  expect(await importOf('imp_patient')).toMatchObject({ status: 'completed', error: null });
});

/** Something that happens once: at the first answer of Stripe's that it is asked about. */
function once(happens: () => Promise<unknown>) {
  let done: Promise<unknown> | undefined;
  return async () => {
    done ??= happens();
    await done;
  };
}

/** A project that comes to the account now. `leave` ends that. */
async function anotherProject() {
  const slug = `other-${randomBytes(4).toString('hex')}`;
  const { body } = await tollgate.admin.post('/admin/projects', { name: 'Other', slug });
  const leave = () =>
    tollgate.database.db
      .updateTable('tollgate.projects')
      .set({ connection_id: 'elsewhere' })
      .where('id', '=', body.id)
      .execute();
  return { id: body.id as string, app: tollgate.as(body.secret_key), leave };
}

test.each([
  ['before anything is listed', '/v1/products?'],
  ['while a page is read', '/v1/subscription_items?'],
])('links no Stripe customer once another project has come to the account: %s', async (_, moment) => {
  const { stripe, secret, admin } = tollgate;
  const { customer } = await subscribe();
  const { id: visitor } = await stripe.customers.create({});
  const left: (() => Promise<unknown>)[] = [];
  const come = once(async () => left.push((await anotherProject()).leave));
  using changed = await startChangedStripe(async (path, object) => {
    if (path.startsWith('/v1/subscriptions?')) object.items.has_more = true;
    if (path.startsWith(moment)) await come();
  });
  const id = `imp_${customer}`;
  await (await begin(id, { apiBase: changed.url })).ended;
  expect(left).toHaveLength(1);
  await left[0]?.();
  expect(await importOf(id)).toMatchObject({ status: 'completed', error: null });
  const { body: buyer } = await secret.get(`/customers/${customer}`);
  expect([buyer.subscriptions.length, buyer.stripe_customer_id]).toEqual([1, null]);
  expect((await secret.get(`/customers/${visitor}`)).status).toBe(404);
  const { body: listed } = await admin.get(`/admin/imports/${id}/parked?limit=100`);
  expect(listed.data).toContainEqual({
    object: 'import_parked',
    object_type: 'customer',
    object_id: visitor,
    reason: 'account_shared',
  });
});

test.each([
  ['another project, before it is looked at', '/v1/products?', 'project'],
  ['another project, while it is fetched', '/v1/products/', 'project'],
  ['another installation, while it is fetched', '/v1/products/', 'installation'],
] as const)('leaves alone a product that is taken meanwhile, if all are asked for: by %s', async (_, moment, by) => {
  const { stripe } = tollgate;
  const { id: product } = await stripe.products.create({ name: 'Late' });
  const other = await anotherProject();
  const take = once(async () => {
    const metadata = { tollgate_installation: 'staging', tollgate_project: 'prj_theirs' };
    if (by === 'installation') await stripe.products.update(product, { metadata });
    else expect((await other.app.post('/products/import', { stripe_product_id: product })).status).toBe(201);
  });
  using changed = await startChangedStripe(async (path, object) => {
    if (!path.startsWith(moment) || object.id !== product) return;
    await take();
    if (by === 'installation') object.metadata.tollgate_installation = 'staging';
  });
  const id = `imp_${product}`;
  const before = (await stripe.products.list({ limit: 100 })).data.length;
  await (await begin(id, { apiBase: changed.url })).ended;
  await other.leave();
  expect(await importOf(id)).toMatchObject({ status: 'completed', error: null, counts: { products: before } });
  expect((await importOf(id)).counts.elsewhere).toBeGreaterThanOrEqual(1);
  expect((await tollgate.secret.get(`/products/${product}`)).status).toBe(404);
});

test('what its buyers have of the account’s other products is looked for until all is there, each once', async () => {
  const { stripe, secret, database } = tollgate;
  const { id: asked } = await stripe.products.create({ name: 'Asked for' });
  const { customer, terms } = await subscribe(asked);
  const { id: product } = await stripe.products.create({ name: 'Not asked for' });
  const monthly = await stripe.prices.create({ ...terms, product, recurring: { interval: 'month' } });
  const [card] = (await stripe.paymentMethods.list({ customer })).data;
  const others: string[] = [];
  for (let n = 0; n < 3; n++) {
    const items = [{ price: monthly.id }];
    const made = await stripe.subscriptions.create({ customer, items, default_payment_method: String(card?.id) });
    others.push(made.id);
  }
  refuse(`/v1/subscriptions/${others[0]}`);
  const id = 'imp_others';
  const { ended } = await begin(id, { products: [{ product: asked }] });
  await ended;
  expect(await importOf(id)).toMatchObject({ status: 'running', progress: { step: 'purchases' } });
  await tollgate.until(async () => (await importOf(id)).status === 'completed', 30_000, 'it is completed');
  expect((await secret.get(`/customers/${customer}`)).body.subscriptions).toHaveLength(4);
  const { rows } = await database.pool.query(
    'select count(*)::int as versions from tollgate.fact_versions where object_id = any($1)',
    [others],
  );
  expect(rows).toEqual([{ versions: 3 }]);
});
