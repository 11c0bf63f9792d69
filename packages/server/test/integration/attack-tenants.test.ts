/** One project against another on the same Stripe account: nothing of the other is seen, used, taken or changed. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Answer, Client } from '../support/client.ts';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';
import { until } from '../support/until.ts';

interface Tenant {
  id: string;
  secret: Client;
  publishable: Client;
  product: string;
  monthly: string;
  once: string;
}

let tollgate: Tollgate;
let mine: Tenant;
let theirs: Tenant;
/** A subscriber of the other project, through the checkout. */
let victim: { customer: string; stripeCustomer: string; subscription: string; session: string };

const urls = { success_url: 'https://shop.example/', cancel_url: 'https://shop.example/' };

async function tenant(slug: string): Promise<Tenant> {
  const { body } = await tollgate.admin.post('/admin/projects', { name: slug, slug });
  const secret = tollgate.as(body.secret_key);
  await secret.post('/features', { code: 'export', name: 'Export', type: 'boolean' });
  const product = await secret.post('/products', { name: slug, features: [{ code: 'export' }] });
  const price = async (members: object) => {
    const made = await secret.post('/prices', { product: product.body.id, currency: 'usd', ...members });
    return made.body.id as string;
  };
  return {
    id: body.id,
    secret,
    publishable: tollgate.as(body.publishable_key),
    product: product.body.id,
    monthly: await price({ unit_amount: 900, recurring: { interval: 'month' }, lookup_key: 'pro' }),
    once: await price({ unit_amount: 500, lookup_key: 'once' }),
  };
}

beforeAll(async () => {
  tollgate = await startTollgate();
  mine = await tenant('mine');
  theirs = await tenant('theirs');
  const session = await theirs.secret.post('/checkout/sessions', { customer_id: 'vic', lookup_key: 'pro', ...urls });
  tollgate.sandbox.control.payCheckout(session.body.id, { email: 'vic@example.com' });
  await theirs.secret.get(`/checkout/sessions/${session.body.id}`);
  const { body } = await theirs.secret.get('/customers/vic');
  victim = {
    customer: body.id,
    stripeCustomer: body.stripe_customer_id,
    subscription: body.subscriptions[0].id,
    session: session.body.id,
  };
});
afterAll(() => tollgate.close());

function withoutRequestId({ status, body: { request_id: _, ...body } }: Answer) {
  return { status, body };
}

/** What is somebody else's has to be answered like what does not exist, to the byte. */
async function expectHidden(ask: (id: string) => Promise<Answer>, id: string, nothing: string): Promise<void> {
  const [others, missing] = [withoutRequestId(await ask(id)), withoutRequestId(await ask(nothing))];
  expect(others).toEqual(missing);
  expect(others.status).toBe(404);
}

describe("another project's objects answer like objects that do not exist", () => {
  it('where they are read or changed by their path', async () => {
    const { secret } = mine;
    await expectHidden((id) => secret.get(`/checkout/sessions/${id}`), victim.session, 'cs_test_nothing');
    await expectHidden((id) => secret.get(`/customers/${id}`), 'vic', 'nobody');
    await expectHidden((id) => secret.get(`/customers/${id}`), victim.customer, 'nobody');
    await expectHidden((id) => secret.get(`/products/${id}`), theirs.product, 'prod_nothing');
    await expectHidden((id) => secret.patch(`/products/${id}`, { name: 'x' }), theirs.product, 'prod_nothing');
    await expectHidden((id) => secret.get(`/prices/${id}`), theirs.monthly, 'price_nothing');
    await expectHidden((id) => secret.patch(`/prices/${id}`, { active: false }), theirs.monthly, 'price_nothing');
    await expectHidden((id) => secret.patch(`/prices/${id}`, { lookup_key: 'x' }), theirs.monthly, 'price_nothing');
    for (const query of ['', '?dry_run=true']) {
      const put = (kind: string) => (id: string) => secret.put(`/${kind}/${id}/features${query}`, { features: [] });
      await expectHidden(put('products'), theirs.product, 'prod_nothing');
      await expectHidden(put('prices'), theirs.monthly, 'price_nothing');
    }
  });

  it('where they are webhook endpoints, and what was sent to them', async () => {
    const { secret } = mine;
    const made = await theirs.secret.post('/webhook-endpoints', { url: 'http://127.0.0.1:9/' });
    const hidden = (ask: (id: string) => Promise<Answer>) => expectHidden(ask, made.body.id, 'whe_nothing');
    await hidden((id) => secret.get(`/webhook-endpoints/${id}`));
    await hidden((id) => secret.get(`/webhook-endpoints/${id}/deliveries`));
    await hidden((id) => secret.patch(`/webhook-endpoints/${id}`, { url: 'https://mine.example/' }));
    await hidden((id) => secret.post(`/webhook-endpoints/${id}/rotate`, {}));
    await hidden((id) => secret.post(`/webhook-endpoints/${id}/replay`, { since: '2020-01-01T00:00:00Z' }));
    await hidden((id) => secret.delete(`/webhook-endpoints/${id}`));
    const elsewhere = `project_id=${mine.id}`;
    await hidden((id) => tollgate.admin.get(`/webhook-endpoints/${id}?${elsewhere}`));
    await expectHidden((id) => secret.get(`/customers/${id}/payments`), 'vic', 'nobody');
    await expectHidden((id) => tollgate.admin.get(`/customers/${id}/payments?${elsewhere}`), 'vic', 'nobody');
    const cursor = Buffer.from('whe_zzz').toString('base64url');
    expect((await secret.get(`/webhook-endpoints?cursor=${cursor}`)).body.data).toEqual([]);
    expect((await theirs.secret.get(`/webhook-endpoints/${made.body.id}`)).body.status).toBe('enabled');
    await theirs.secret.delete(`/webhook-endpoints/${made.body.id}`);
  });

  it('where they are named in a body', async () => {
    const { secret } = mine;
    const checkout = (members: object) => secret.post('/checkout/sessions', { customer_id: 'me', ...urls, ...members });
    await expectHidden((price) => checkout({ price }), theirs.monthly, 'price_nothing');
    await expectHidden((price) => checkout({ line_items: [{ price: mine.once }, { price }] }), theirs.once, 'price_no');
    await expectHidden(
      (product) => secret.post('/prices', { product, currency: 'usd', unit_amount: 1 }),
      theirs.product,
      'prod_nothing',
    );
    await expectHidden(
      (id) => secret.post('/products/import', { stripe_product_id: id }),
      theirs.product,
      'prod_nothing',
    );
    await expectHidden(
      (id) => secret.put('/customers/me', { stripe_customer_id: id }),
      victim.stripeCustomer,
      'cus_nothing',
    );
    const portal = (customer_id: string) =>
      secret.post('/portal/sessions', { customer_id, return_url: urls.cancel_url });
    await expectHidden(portal, 'vic', 'nobody');
  });

  it('where the portal is opened for a change', async () => {
    const { secret } = mine;
    const bought = await secret.post('/checkout/sessions', { customer_id: 'me', lookup_key: 'pro', ...urls });
    tollgate.sandbox.control.payCheckout(bought.body.id, { email: 'me@example.com' });
    await secret.get(`/checkout/sessions/${bought.body.id}`);
    const portal = (flow: object) =>
      secret.post('/portal/sessions', { customer_id: 'me', return_url: urls.cancel_url, flow });
    const cancel = (subscription_id: string) => portal({ type: 'subscription_cancel', subscription_id });
    await expectHidden(cancel, victim.subscription, 'sub_nothing');
    const change = (price: string) => portal({ type: 'subscription_update_confirm', price });
    await expectHidden(change, theirs.monthly, 'price_nothing');
  });

  it('and both may use the same lookup key, each for its own price', async () => {
    for (const { secret, once } of [mine, theirs]) {
      const { body } = await secret.post('/checkout/sessions', { customer_id: 'both', lookup_key: 'once', ...urls });
      const [line] = (await tollgate.stripe.checkout.sessions.listLineItems(body.id)).data;
      expect(line?.price?.id).toBe(once);
    }
  });
});

describe('a Stripe customer whom another project serves', () => {
  /** Somebody who paid the other project through a link of Stripe's: nobody has stamped or linked the Stripe customer. */
  async function paidByLink(reference: string | null, price: string): Promise<string> {
    const { stripe, sandbox } = tollgate;
    const { id } = await stripe.customers.create({ email: 'payer@example.com' });
    const { recurring } = await stripe.prices.retrieve(price);
    const session = await stripe.checkout.sessions.create({
      mode: recurring === null ? 'payment' : 'subscription',
      customer: id,
      line_items: [{ price, quantity: 1 }],
      success_url: urls.success_url,
      ...(reference === null ? {} : { client_reference_id: reference }),
    });
    sandbox.control.payCheckout(session.id);
    await sandbox.control.settled();
    if (reference !== null) {
      const granted = async () =>
        (await theirs.secret.get(`/check?customer_id=${reference}&feature=export`)).body.entitled === true;
      await until(granted);
    }
    return id;
  }

  const link = (id: string) => mine.secret.put('/customers/spy', { stripe_customer_id: id });

  it('cannot be linked, though only its subscription says whose it is', async () => {
    const stripeCustomer = await paidByLink('by_link', theirs.monthly);
    await expectHidden(link, stripeCustomer, 'cus_nothing');
    expect(await tollgate.stripe.customers.retrieve(stripeCustomer)).toMatchObject({ metadata: {} });
    const portal = await mine.secret.post('/portal/sessions', { customer_id: 'spy', return_url: urls.cancel_url });
    expect(portal.body.code).toBe('no_billing_account');
  });

  it('cannot be linked, though only its payment says whose it is', async () => {
    await expectHidden(link, await paidByLink('paid_once', theirs.once), 'cus_nothing');
  });

  it('cannot be linked, though nobody knows yet which customer of that project it is', async () => {
    await expectHidden(link, await paidByLink(null, theirs.monthly), 'cus_nothing');
    await expectHidden(link, await paidByLink(null, theirs.once), 'cus_nothing');
  });
});

describe('what an app writes about a purchase', () => {
  it('cannot pass for a stamp, in any spelling', async () => {
    const { secret } = mine;
    for (const name of ['tollgate_project', 'Tollgate_Customer', 'TOLLGATE_INSTALLATION', 'x][tollgate_project']) {
      const metadata = { [name]: theirs.id };
      const session = { customer_id: 'me2', lookup_key: 'once', ...urls, metadata };
      expect((await secret.post('/checkout/sessions', session)).status, name).toBe(400);
    }
  });

  it('cannot make the purchase be another project’s by naming its project', async () => {
    const session = { customer_id: 'me2', lookup_key: 'once', ...urls, project_id: theirs.id };
    expect((await mine.secret.post('/checkout/sessions', session)).status).toBe(400);
    expect((await mine.secret.get(`/entitlements?customer_id=vic&project_id=${theirs.id}`)).status).toBe(400);
  });

  it('is seen by nobody else under the same customer id', async () => {
    expect((await mine.secret.get('/check?customer_id=vic&feature=export')).body).toMatchObject({ entitled: false });
    expect((await theirs.secret.get('/check?customer_id=vic&feature=export')).body).toMatchObject({ entitled: true });
    expect((await mine.secret.get('/entitlements/history?customer_id=vic')).body.data).toEqual([]);
  });
});

describe('an idempotency key', () => {
  it('of another key, or of the same key on another path, replays nothing', async () => {
    const headers = { 'idempotency-key': 'the same' };
    const feature = { code: 'idem', name: 'Idem', type: 'boolean' };
    expect((await mine.secret.post('/features', feature, headers)).status).toBe(201);
    const other = await theirs.secret.post('/features', feature, headers);
    expect(other.status).toBe(201);
    expect(other.headers.get('idempotent-replayed')).toBeNull();
    const elsewhere = await mine.secret.post('/products', { name: 'Idem' }, headers);
    expect(elsewhere.status).toBe(201);
    expect(elsewhere.headers.get('idempotent-replayed')).toBeNull();
  });

  it('is no way around a publishable key’s limits', async () => {
    const headers = { 'idempotency-key': 'the same' };
    const feature = { code: 'idem', name: 'Idem', type: 'boolean' };
    expect((await mine.publishable.post('/features', feature, headers)).status).toBe(403);
  });
});
