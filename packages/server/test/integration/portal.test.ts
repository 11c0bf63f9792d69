import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ensurePortalConfiguration } from '../../src/checkout/portal-configuration.ts';
import { createLog } from '../../src/platform/log.ts';
import { getProject } from '../../src/projects/find-project.ts';
import { createConnections, createStripeClient } from '../../src/stripe/connections.ts';
import type { Stripe } from '../../src/stripe/types.ts';
import type { Answer, Client } from '../support/client.ts';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

let tollgate: Tollgate;
let pro: string;
let monthly: string;
let yearly: string;
let once: string;
let foreign: string;
let sequence = 0;

const RETURN = 'https://app.example.com/account';
const URLS = { success_url: 'https://app.example.com/done', cancel_url: 'https://app.example.com/pricing' };
const month = { recurring: { interval: 'month' } };

beforeAll(async () => {
  tollgate = await startTollgate({ deaf: true });
  pro = await newProduct();
  monthly = await newPrice(pro, month);
  yearly = await newPrice(pro, { recurring: { interval: 'year' } });
  once = await newPrice(pro);
  const stranger = await newProject();
  foreign = await newPrice(await newProduct(stranger), month, stranger);
});

afterEach(() => tollgate.sandbox.control.clearFaults());

afterAll(() => tollgate.close());

async function made(answer: Promise<Answer>) {
  const { status, body } = await answer;
  if (status !== 201) throw new Error(`${status}: ${JSON.stringify(body)}`);
  return body;
}

async function newProject(): Promise<Client> {
  sequence += 1;
  const slug = `project-${sequence}`;
  return tollgate.as((await made(tollgate.admin.post('/admin/projects', { name: slug, slug }))).secret_key);
}

const newProduct = async (app: Client = tollgate.secret): Promise<string> =>
  (await made(app.post('/products', { name: 'Product' }))).id;

const newPrice = async (product: string, more: object = {}, app: Client = tollgate.secret): Promise<string> =>
  (await made(app.post('/prices', { product, currency: 'eur', unit_amount: 900, ...more }))).id;

function newCustomer(): string {
  sequence += 1;
  return `u_${sequence}`;
}

/** Buys, and answers with the subscription's id. */
async function subscribe(
  customer_id: string,
  more: object = { price: monthly },
  app = tollgate.secret,
): Promise<string> {
  const session = await made(app.post('/checkout/sessions', { customer_id, ...URLS, ...more }));
  const body = new URLSearchParams({ card_number: '4242424242424242', email: 'ada@example.com' });
  await fetch(`${session.url}/pay`, { method: 'POST', body, redirect: 'manual' });
  await app.get(`/checkout/sessions/${session.id}`);
  const { subscription } = await tollgate.stripe.checkout.sessions.retrieve(session.id);
  return subscription as string;
}

const open = (customer_id: string, flow?: object, app = tollgate.secret) =>
  app.post('/portal/sessions', { customer_id, return_url: RETURN, ...(flow === undefined ? {} : { flow }) });

/** The configuration that the project's sessions have now. */
async function configuration(app: Client, customer: string) {
  await made(open(customer, undefined, app));
  const [newest] = (await tollgate.stripe.billingPortal.configurations.list({ limit: 1 })).data;
  if (newest === undefined) throw new Error('There is no configuration.');
  return newest;
}

/** Product → its prices, in order of their ids: what is made in the same second has no other. */
function offers({ features }: Stripe.BillingPortal.Configuration): Record<string, string[]> {
  const products = features.subscription_update.products ?? [];
  return Object.fromEntries(products.map(({ product, prices }) => [product, prices.toSorted()]));
}

describe('a portal session', () => {
  it('is a page of Stripe for a customer who has bought something', async () => {
    const customer = newCustomer();
    await subscribe(customer);
    const { status, body } = await open(customer);
    expect(status).toBe(201);
    expect(body).toEqual({ object: 'portal_session', url: expect.stringMatching(/^http/) });
    expect((await fetch(body.url)).status).toBe(200);
  });

  it('is refused for a customer whom nobody has seen, or who never went to a checkout', async () => {
    const unknown = await open('nobody');
    expect([unknown.status, unknown.body.code]).toEqual([404, 'no_billing_account']);
    const known = newCustomer();
    await tollgate.secret.put(`/customers/${known}`, { email: 'ada@example.com' });
    const refused = await open(known);
    expect([refused.status, refused.body.code]).toEqual([404, 'no_billing_account']);
  });

  it('is refused for a customer of another project', async () => {
    const customer = newCustomer();
    await subscribe(customer);
    const refused = await open(customer, undefined, await newProject());
    expect([refused.status, refused.body.code]).toEqual([404, 'no_billing_account']);
  });

  it('is refused for a customer who was deleted in Stripe', async () => {
    const customer = newCustomer();
    await made(tollgate.secret.post('/checkout/sessions', { customer_id: customer, price: monthly, ...URLS }));
    const { body } = await tollgate.secret.get(`/customers/${customer}`);
    await tollgate.stripe.customers.del(body.stripe_customer_id);
    const refused = await open(customer);
    expect([refused.status, refused.body.code]).toEqual([404, 'no_billing_account']);
  });

  it('is refused when it would lead back to anything but https', async () => {
    const { secret } = tollgate;
    for (const return_url of ['javascript:alert(1)', 'http://app.example.com', 'https://a@app.example.com']) {
      const { status, body } = await secret.post('/portal/sessions', { customer_id: 'u', return_url });
      expect([status, body.code, body.errors[0].path]).toEqual([400, 'redirect_not_allowed', 'return_url']);
    }
  });
});

describe("a project's portal", () => {
  it("offers the project's own active recurring prices and nothing else", async () => {
    const app = await newProject();
    const [product, another, archived] = [await newProduct(app), await newProduct(app), await newProduct(app)];
    const own = [
      await newPrice(product, month, app),
      await newPrice(product, { recurring: { interval: 'year' } }, app),
    ];
    const second = await newPrice(another, month, app);
    const old = await newPrice(product, month, app);
    await newPrice(product, {}, app);
    await newPrice(archived, month, app);
    await app.patch(`/prices/${old}`, { active: false });
    await app.patch(`/products/${archived}`, { active: false });
    const customer = newCustomer();
    await subscribe(customer, { price: second }, app);
    const found = await configuration(app, customer);
    const { features, is_default } = found;
    expect(is_default).toBe(false);
    expect(features.subscription_update.enabled).toBe(true);
    expect(offers(found)).toEqual({ [product]: own.sort(), [another]: [second] });
    expect(features.subscription_cancel).toMatchObject({ enabled: true, mode: 'at_period_end' });
    expect(features.payment_method_update.enabled).toBe(true);
    expect(features.invoice_history.enabled).toBe(true);
  });

  it('stays as it is until the catalog changes, and is then made anew', async () => {
    const app = await newProject();
    const product = await newProduct(app);
    const first = await newPrice(product, month, app);
    const customer = newCustomer();
    await subscribe(customer, { price: first }, app);
    const before = await configuration(app, customer);
    expect((await configuration(app, customer)).id).toBe(before.id);
    const second = await newPrice(product, { recurring: { interval: 'year' } }, app);
    const after = await configuration(app, customer);
    expect(after.id).not.toBe(before.id);
    expect(offers(after)).toEqual({ [product]: [first, second].sort() });
  });

  it('offers ten products at most, those that were there first', async () => {
    const app = await newProject();
    const products: string[] = [];
    let price = '';
    for (let count = 0; count < 11; count++) {
      const product = await newProduct(app);
      products.push(product);
      price = await newPrice(product, month, app);
    }
    const { db } = tollgate.database;
    for (const [day, id] of products.entries()) {
      const created_at = new Date(Date.UTC(2026, 0, 1 + day));
      await db.updateTable('tollgate.products').set({ created_at }).where('id', '=', id).execute();
    }
    const customer = newCustomer();
    await subscribe(customer, { price }, app);
    const offered = Object.keys(offers(await configuration(app, customer)));
    expect(offered.sort()).toEqual(products.slice(0, 10).sort());
  });

  it('has no plans to switch to where nothing recurs', async () => {
    const app = await newProject();
    const price = await newPrice(await newProduct(app), {}, app);
    const customer = newCustomer();
    await made(app.post('/checkout/sessions', { customer_id: customer, price, ...URLS }));
    expect((await configuration(app, customer)).features.subscription_update.enabled).toBe(false);
  });

  it('is made anew when Stripe has it no more', async () => {
    const customer = newCustomer();
    await subscribe(customer);
    await made(open(customer));
    const { db } = tollgate.database;
    await db
      .updateTable('tollgate.portal_configurations')
      .set({ configuration_id: 'bpc_gone' })
      .where('project_id', '=', tollgate.project.id)
      .execute();
    expect((await open(customer)).status).toBe(201);
  });

  it('asks to come back while Stripe is down', async () => {
    const customer = newCustomer();
    await subscribe(customer);
    tollgate.sandbox.control.setFaults({ errorRate: 1 });
    const { status, body, headers } = await open(customer);
    expect([status, body.code]).toEqual([503, 'stripe_unavailable']);
    expect(headers.get('retry-after')).toMatch(/^\d+$/);
  });
});

it('offers one price at each pace where Stripe refuses to offer rivals', async () => {
  const app = await newProject();
  const product = await newProduct(app);
  const rivals = [await newPrice(product, month, app), await newPrice(product, month, app)];
  const year = await newPrice(product, { recurring: { interval: 'year' } }, app);
  const { db } = tollgate.database;
  const newer = { created_at: new Date(Date.now() + 60_000) };
  await db
    .updateTable('tollgate.prices')
    .set(newer)
    .where('id', '=', rivals[1] ?? '')
    .execute();
  const stripe = await particularStripe();
  const installation = 'tests';
  const connection = {
    id: 'default',
    client: stripe.client,
    webhookSecrets: ['whsec_1'],
    livemode: false,
    installation,
  };
  const deps = {
    db,
    clock: tollgate.clock,
    connections: createConnections([connection]),
    log: createLog('silent'),
    snapshots: { forget: () => {} },
  };
  const { project_id } = await db
    .selectFrom('tollgate.products')
    .select('project_id')
    .where('id', '=', product)
    .executeTakeFirstOrThrow();
  const id = await ensurePortalConfiguration(deps, await getProject(db, project_id));
  await stripe.close();
  const found = await tollgate.stripe.billingPortal.configurations.retrieve(id);
  expect(offers(found)).toEqual({ [product]: [rivals[1], year].sort() });
});

/** A Stripe that does not take three prices of one product in a portal. */
async function particularStripe() {
  const server = createServer(async (request, response) => {
    const body = await text(request);
    const headers = { 'content-type': 'application/json' };
    if (/products%5D%5B0%5D%5Bprices%5D%5B2%5D|products\]\[0\]\[prices\]\[2\]/.test(body)) {
      const param = 'features[subscription_update][products][0][prices]';
      const error = { type: 'invalid_request_error', message: 'Rivals', param };
      response.writeHead(400, headers).end(JSON.stringify({ error }));
      return;
    }
    const { method = 'POST', url = '/' } = request;
    const { authorization = '', 'content-type': type = '' } = request.headers;
    const sent = { method, headers: { authorization, 'content-type': type }, body };
    const answer = await fetch(tollgate.sandbox.url + url, sent);
    response.writeHead(answer.status, headers).end(await answer.text());
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  const client = createStripeClient({ secretKey: 'sk_test_1', apiBase: `http://127.0.0.1:${port}` });
  const close = async () => {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  };
  return { client, close };
}

describe('a flow of the portal', () => {
  it.each([
    ['subscription_cancel', {}],
    ['subscription_update', {}],
    ['subscription_update_confirm', () => ({ price: yearly })],
  ])('opens %s for the subscription, named or the only one', async (type, more) => {
    const customer = newCustomer();
    const subscription_id = await subscribe(customer);
    const rest = typeof more === 'function' ? more() : more;
    expect((await open(customer, { type, ...rest })).status).toBe(201);
    expect((await open(customer, { type, subscription_id, ...rest })).status).toBe(201);
  });

  it('opens payment_method_update for the customer', async () => {
    const customer = newCustomer();
    await subscribe(customer);
    expect((await open(customer, { type: 'payment_method_update' })).status).toBe(201);
  });

  it("does not open another customer's subscription, in the words for one that does not exist", async () => {
    const [owner, customer] = [newCustomer(), newCustomer()];
    const subscription_id = await subscribe(owner);
    await subscribe(customer);
    const theirs = await open(customer, { type: 'subscription_cancel', subscription_id });
    const unknown = await open(customer, { type: 'subscription_cancel', subscription_id: 'sub_unknown' });
    expect([theirs.status, theirs.body.code]).toEqual([404, 'not_found']);
    expect({ ...theirs.body, request_id: '' }).toEqual({ ...unknown.body, request_id: '' });
  });

  it('wants to be told which of several subscriptions', async () => {
    const customer = newCustomer();
    const subscription_id = await subscribe(customer);
    await subscribe(customer, { price: monthly, allow_multiple: true });
    const refused = await open(customer, { type: 'subscription_cancel' });
    expect([refused.status, refused.body.errors[0].path]).toEqual([400, 'flow.subscription_id']);
    expect((await open(customer, { type: 'subscription_cancel', subscription_id })).status).toBe(201);
  });

  it('does not open a subscription that has ended', async () => {
    const customer = newCustomer();
    const session = await made(
      tollgate.secret.post('/checkout/sessions', { customer_id: customer, price: monthly, ...URLS }),
    );
    const body = new URLSearchParams({ card_number: '4242424242424242', email: 'ada@example.com' });
    await fetch(`${session.url}/pay`, { method: 'POST', body, redirect: 'manual' });
    const { subscription } = await tollgate.stripe.checkout.sessions.retrieve(session.id);
    await tollgate.stripe.subscriptions.cancel(subscription as string);
    await tollgate.secret.get(`/checkout/sessions/${session.id}`);
    const ended = await open(customer, { type: 'subscription_cancel', subscription_id: subscription });
    expect([ended.status, ended.body.code]).toEqual([409, 'conflict']);
    const none = await open(customer, { type: 'subscription_cancel' });
    expect([none.status, none.body.code]).toEqual([404, 'not_found']);
  });

  it.each([
    ['no price to confirm', () => ({ type: 'subscription_update_confirm' }), [400, 'invalid_request']],
    ['a price for once', () => ({ type: 'subscription_update_confirm', price: once }), [400, 'invalid_request']],
    ['a price of another project', () => ({ type: 'subscription_update_confirm', price: foreign }), [404, 'not_found']],
    ['a price to cancel', () => ({ type: 'subscription_cancel', price: yearly }), [400, 'invalid_request']],
    [
      'a subscription to change the card of',
      () => ({ type: 'payment_method_update', subscription_id: 'sub_1' }),
      [400, 'invalid_request'],
    ],
    ['a flow that nobody knows', () => ({ type: 'customer_update' }), [400, 'invalid_request']],
  ])('is refused with %s', async (_name, flow, expected) => {
    const customer = newCustomer();
    await subscribe(customer);
    const { status, body } = await open(customer, flow());
    expect([status, body.code]).toEqual(expected);
  });
});
