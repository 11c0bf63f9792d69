import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Answer } from '../support/client.ts';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

/** Webhooks do not arrive: whatever is known after a payment is known because somebody came back from it. */
let tollgate: Tollgate;
let monthly: string;
let yearly: string;
let otherProduct: string;
let lifetime: string;
let sequence = 0;

const URLS = {
  success_url: 'https://app.example.com/done?session={CHECKOUT_SESSION_ID}',
  cancel_url: 'https://app.example.com/pricing',
};

beforeAll(async () => {
  tollgate = await startTollgate({ deaf: true, stripeTimeoutMs: 2_000 });
  const { secret } = tollgate;
  await made(secret.post('/features', { code: 'pro_export', name: 'Pro export', type: 'boolean' }));
  await made(secret.post('/features', { code: 'archive', name: 'Archive', type: 'boolean' }));
  const pro = await made(secret.post('/products', { name: 'Pro', features: [{ code: 'pro_export' }] }));
  const team = await made(secret.post('/products', { name: 'Team', features: [{ code: 'pro_export' }] }));
  const once = await made(secret.post('/products', { name: 'Archive', features: [{ code: 'archive' }] }));
  const price = (product: { id: string }, more: object) =>
    made(secret.post('/prices', { product: product.id, currency: 'eur', unit_amount: 900, ...more }));
  monthly = (await price(pro, { recurring: { interval: 'month' }, lookup_key: 'pro_monthly' })).id;
  yearly = (await price(pro, { recurring: { interval: 'year' }, unit_amount: 9000 })).id;
  otherProduct = (await price(team, { recurring: { interval: 'month' } })).id;
  lifetime = (await price(once, {})).id;
});

afterEach(() => tollgate.sandbox.control.clearFaults());

afterAll(() => tollgate.close());

async function made(answer: Promise<Answer>) {
  const { status, body } = await answer;
  if (status !== 201) throw new Error(`${status}: ${JSON.stringify(body)}`);
  return body;
}

function newCustomer(): string {
  sequence += 1;
  return `u_${sequence}`;
}

const create = (customer_id: string, more: object = { price: monthly }, headers: Record<string, string> = {}) =>
  tollgate.secret.post('/checkout/sessions', { customer_id, ...URLS, ...more }, headers);
const show = (id: string) => tollgate.secret.get(`/checkout/sessions/${id}`);

/** What a person does on the page. */
async function pay(session: { url: string }, card_number = '4242424242424242'): Promise<Response> {
  const body = new URLSearchParams({ card_number, email: 'ada@example.com' });
  return await fetch(`${session.url}/pay`, { method: 'POST', body, redirect: 'manual' });
}

/** Buys and comes back to the success page. */
async function buy(customer: string, more: object = { price: monthly }) {
  const session = await made(create(customer, more));
  await pay(session);
  const { body } = await show(session.id);
  if (body.applied !== true) throw new Error(`Not applied: ${JSON.stringify(body)}`);
  return session;
}

const check = async (customer: string, feature: string) =>
  (await tollgate.secret.get(`/check?customer_id=${customer}&feature=${feature}`)).body;

/** The customer's sessions as Stripe has them. */
async function inStripe(customer: string, status?: 'open') {
  const filter = status === undefined ? {} : { status };
  const { data } = await tollgate.stripe.checkout.sessions.list({ limit: 100, ...filter });
  return data.filter(({ client_reference_id }) => client_reference_id === customer);
}

/** What Stripe calls the subscription that was bought in a session. */
async function statusOf(session: string) {
  const { subscription } = await tollgate.stripe.checkout.sessions.retrieve(session);
  return (await tollgate.stripe.subscriptions.retrieve(String(subscription))).status;
}

async function stripeCustomers(customer: string) {
  const { id } = (await tollgate.database.db
    .selectFrom('tollgate.customers')
    .select('id')
    .where('external_id', '=', customer)
    .executeTakeFirstOrThrow()) as { id: string };
  const all = await tollgate.stripe.customers.list({ limit: 100 }).autoPagingToArray({ limit: 1000 });
  return all.filter(({ metadata }) => metadata.tollgate_customer === id);
}

describe('a checkout session', () => {
  it('is a page of Stripe for the customer, in the mode of its prices', async () => {
    const customer = newCustomer();
    const { status, body } = await create(customer);
    expect(status).toBe(201);
    expect(body).toEqual({
      object: 'checkout_session',
      id: expect.stringMatching(/^cs_/),
      url: expect.stringMatching(/^http/),
      expires_at: expect.stringMatching(/^\d{4}-.*Z$/),
      customer_id: customer,
      mode: 'subscription',
    });
    expect((await create(newCustomer(), { price: lifetime })).body.mode).toBe('payment');
    const mixed = [{ price: lifetime }, { price: monthly, quantity: 3 }];
    expect((await create(newCustomer(), { line_items: mixed })).body.mode).toBe('subscription');
  });

  it('keeps the placeholder for its own id in the redirect, and leads there when paid', async () => {
    const session = await made(create(newCustomer()));
    const stored = await tollgate.stripe.checkout.sessions.retrieve(session.id);
    expect(stored.success_url).toBe(URLS.success_url);
    const answer = await pay(session);
    expect(answer.headers.get('location')).toBe(`https://app.example.com/done?session=${session.id}`);
  });

  it('is for one Stripe customer with stamps, and never for an address', async () => {
    const customer = newCustomer();
    const session = await made(create(customer, { price: monthly, email: 'ada@example.com', metadata: { cart: '7' } }));
    const stored = await tollgate.stripe.checkout.sessions.retrieve(session.id);
    const [owner] = await stripeCustomers(customer);
    expect(owner?.email).toBe('ada@example.com');
    expect(stored.customer).toBe(owner?.id);
    expect(stored.client_reference_id).toBe(customer);
    expect(stored.metadata).toEqual({
      cart: '7',
      tollgate_installation: 'tests',
      tollgate_project: tollgate.project.id,
      tollgate_customer: owner?.metadata.tollgate_customer,
    });
    await pay(session);
    const paid = await tollgate.stripe.checkout.sessions.retrieve(session.id, { expand: ['subscription'] });
    expect(paid.subscription).toMatchObject({ metadata: stored.metadata });
  });

  it('sells by lookup key', async () => {
    const session = await made(create(newCustomer(), { lookup_key: 'pro_monthly', quantity: 2 }));
    const lines = await tollgate.stripe.checkout.sessions.listLineItems(session.id);
    expect(lines.data.map(({ price, quantity }) => [price?.id, quantity])).toEqual([[monthly, 2]]);
  });

  it('passes promotion codes, the collection of a card and a trial on', async () => {
    const wishes = { allow_promotion_codes: true, payment_method_collection: 'if_required', trial_period_days: 14 };
    const session = await made(create(newCustomer(), { price: monthly, ...wishes }));
    const stored = await tollgate.stripe.checkout.sessions.retrieve(session.id);
    expect(stored).toMatchObject({ allow_promotion_codes: true, payment_method_collection: 'if_required' });
    await pay(session);
    const { data } = await tollgate.stripe.subscriptions.list({ customer: stored.customer as string });
    expect(data[0]).toMatchObject({
      status: 'trialing',
      trial_settings: { end_behavior: { missing_payment_method: 'cancel' } },
    });
  });

  it('is made once for a repeated request', async () => {
    const customer = newCustomer();
    const headers = { 'idempotency-key': 'a-double-click' };
    const first = await create(customer, { price: monthly }, headers);
    const second = await create(customer, { price: monthly }, headers);
    expect(second.headers.get('idempotent-replayed')).toBe('true');
    expect(second.body).toEqual(first.body);
    expect(await inStripe(customer)).toHaveLength(1);
    const another = await create(customer, { price: yearly }, headers);
    expect([another.status, another.body.code]).toEqual([422, 'idempotency_key_reused']);
  });
});

describe('sessions of one customer', () => {
  it('are one Stripe customer and one open session, however many are asked for at once', async () => {
    const customer = newCustomer();
    const answers = await Promise.all(Array.from({ length: 20 }, () => create(customer)));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 201));
    expect(await stripeCustomers(customer)).toHaveLength(1);
    const open = await inStripe(customer, 'open');
    expect(open).toHaveLength(1);
    expect(answers.map(({ body }) => body.id)).toContain(open[0]?.id);
    const states = await Promise.all(answers.map(({ body }) => show(body.id)));
    expect(states.map(({ body }) => body.status).sort()).toEqual([
      ...Array.from({ length: 19 }, () => 'expired'),
      'open',
    ]);
  });

  it('are closed by the next one, so that two tabs cannot both be paid', async () => {
    const customer = newCustomer();
    const first = await made(create(customer, { price: lifetime }));
    await made(create(customer));
    await pay(first);
    expect((await show(first.id)).body).toMatchObject({ status: 'expired', url: null, applied: false });
    expect(await check(customer, 'archive')).toMatchObject({ entitled: false });
  });

  it('are closed too when whoever made them died before keeping them', async () => {
    const customer = newCustomer();
    const lost = await made(create(customer));
    await tollgate.database.db.deleteFrom('tollgate.checkout_sessions').where('id', '=', lost.id).execute();
    const kept = await made(create(customer));
    expect((await inStripe(customer, 'open')).map(({ id }) => id)).toEqual([kept.id]);
  });

  it('are one when the answer of Stripe was lost', async () => {
    const customer = newCustomer();
    tollgate.sandbox.control.failRequests({ method: 'POST', path: '/v1/checkout/sessions', times: 2, outcome: 'lost' });
    const failed = await create(customer);
    expect([failed.status, failed.body.code]).toEqual([503, 'stripe_unavailable']);
    expect(failed.headers.get('retry-after')).toMatch(/^\d+$/);
    const kept = await made(create(customer));
    expect((await inStripe(customer, 'open')).map(({ id }) => id)).toEqual([kept.id]);
  });

  it('are given up when the turn passes to another meanwhile', async () => {
    const customer = newCustomer();
    const { db } = tollgate.database;
    tollgate.sandbox.control.setFaults({ latencyMs: 100 });
    const creating = create(customer);
    // Another process takes a holder that was silent for too long for dead.
    await tollgate.until(async () => {
      const { numUpdatedRows } = await db
        .updateTable('tollgate.checkout_turns')
        .set({ holder: 'another' })
        .executeTakeFirstOrThrow();
      return numUpdatedRows > 0n;
    });
    const { status, body, headers } = await creating;
    await db.deleteFrom('tollgate.checkout_turns').execute();
    expect([status, body.code, headers.get('retry-after')]).toEqual([503, 'checkout_busy', '1']);
    expect(await inStripe(customer, 'open')).toEqual([]);
    expect((await create(customer)).status).toBe(201);
  });

  it('go on after the Stripe customer was deleted, with another', async () => {
    const customer = newCustomer();
    await made(create(customer));
    const [first] = await stripeCustomers(customer);
    await tollgate.stripe.customers.del(first?.id ?? '');
    const session = await made(create(customer));
    const stored = await tollgate.stripe.checkout.sessions.retrieve(session.id);
    expect(stored.customer).not.toBe(first?.id);
  });
});

describe('a customer who is subscribed', () => {
  it('is not sold the same product again, at whatever interval', async () => {
    const customer = newCustomer();
    const session = await buy(customer);
    const { subscription } = await tollgate.stripe.checkout.sessions.retrieve(session.id);
    for (const price of [monthly, yearly]) {
      const { status, body } = await create(customer, { price });
      expect([status, body.code, body.subscription_id]).toEqual([409, 'already_subscribed', subscription]);
    }
    const { status } = await create(customer, { line_items: [{ price: lifetime }, { price: monthly }] });
    expect(status).toBe(409);
  });

  it('may buy another product, something for once, and more of the same where the app says so', async () => {
    const customer = newCustomer();
    await buy(customer);
    expect((await create(customer, { price: otherProduct })).status).toBe(201);
    expect((await create(customer, { price: lifetime })).status).toBe(201);
    expect((await create(customer, { price: monthly, allow_multiple: true })).status).toBe(201);
  });

  it('may subscribe again once it has ended, and not while it is only about to end', async () => {
    const customer = newCustomer();
    const session = await buy(customer);
    const { subscription } = await tollgate.stripe.checkout.sessions.retrieve(session.id);
    await tollgate.stripe.subscriptions.update(subscription as string, { cancel_at_period_end: true });
    expect((await create(customer)).status).toBe(409);
    // Nobody has told Tollgate of the end; it asks before it sends a buyer away.
    await tollgate.stripe.subscriptions.cancel(subscription as string);
    expect((await create(customer)).status).toBe(201);
  });

  it('is not sold it again because Stripe cannot be asked', async () => {
    const customer = newCustomer();
    await buy(customer);
    tollgate.sandbox.control.setFaults({ errorRate: 1 });
    const { status, body } = await create(customer);
    expect([status, body.code]).toEqual([409, 'already_subscribed']);
  });

  it('is known to be subscribed from the session that was open, before any webhook', async () => {
    const customer = newCustomer();
    const session = await made(create(customer));
    await pay(session);
    const { status, body } = await create(customer);
    expect([status, body.code]).toEqual([409, 'already_subscribed']);
    expect(await check(customer, 'pro_export')).toMatchObject({ entitled: true, reason: 'subscription_active' });
  });

  it('in one project is not subscribed in another', async () => {
    const other = await made(tollgate.admin.post('/admin/projects', { name: 'Other', slug: 'other-subscribed' }));
    const app = tollgate.as(other.secret_key);
    const product = await made(app.post('/products', { name: 'Pro' }));
    const recurring = { interval: 'month' };
    const price = await made(app.post('/prices', { product: product.id, currency: 'eur', unit_amount: 1, recurring }));
    const customer = newCustomer();
    await buy(customer);
    const { status } = await app.post('/checkout/sessions', { customer_id: customer, price: price.id, ...URLS });
    expect(status).toBe(201);
  });
});

describe('a trial', () => {
  const trial = { price: '', trial_period_days: 7 };

  it('is given once per customer and product', async () => {
    const customer = newCustomer();
    const session = await buy(customer, { ...trial, price: monthly });
    expect(await check(customer, 'pro_export')).toMatchObject({ entitled: true, reason: 'subscription_trialing' });
    const { subscription } = await tollgate.stripe.checkout.sessions.retrieve(session.id);
    await tollgate.stripe.subscriptions.cancel(subscription as string);
    await show(session.id);
    const { status, body } = await create(customer, { ...trial, price: yearly });
    expect([status, body.code]).toEqual([409, 'trial_already_used']);
    expect((await create(customer, { price: yearly })).status).toBe(201);
    expect((await create(customer, { ...trial, price: otherProduct })).status).toBe(201);
    expect((await create(newCustomer(), { ...trial, price: yearly })).status).toBe(201);
  });
});

describe('the success page', () => {
  it('finds a subscription applied, and the check says yes', async () => {
    const customer = newCustomer();
    const session = await made(create(customer));
    expect((await show(session.id)).body).toEqual({
      ...session,
      status: 'open',
      payment_status: 'unpaid',
      applied: false,
    });
    await pay(session);
    expect((await show(session.id)).body).toEqual({
      ...session,
      url: null,
      status: 'complete',
      payment_status: 'paid',
      applied: true,
    });
    expect(await check(customer, 'pro_export')).toMatchObject({ entitled: true, reason: 'subscription_active' });
  });

  it('finds a one-off purchase applied', async () => {
    const customer = newCustomer();
    await buy(customer, { price: lifetime });
    expect(await check(customer, 'archive')).toMatchObject({ entitled: true, reason: 'purchase', valid_to: null });
  });

  it('finds a purchase that cost nothing applied', async () => {
    const { secret } = tollgate;
    const product = await made(secret.post('/products', { name: 'Free', features: [{ code: 'archive' }] }));
    const free = await made(secret.post('/prices', { product: product.id, currency: 'eur', unit_amount: 0 }));
    const customer = newCustomer();
    const session = await buy(customer, { price: free.id });
    expect((await show(session.id)).body.payment_status).toBe('no_payment_required');
    expect(await check(customer, 'archive')).toMatchObject({ entitled: true, reason: 'purchase' });
  });

  it('finds a bank debit complete and not yet applied, until it settles', async () => {
    const customer = newCustomer();
    const session = await made(create(customer, { price: lifetime }));
    await pay(session, 'DE89370400440532013000');
    const pending = { status: 'complete', payment_status: 'unpaid', applied: false };
    expect((await show(session.id)).body).toMatchObject(pending);
    expect(await check(customer, 'archive')).toMatchObject({ entitled: false, reason: 'payment_pending' });
    tollgate.sandbox.control.advance({ days: 14 });
    expect((await show(session.id)).body).toMatchObject({ status: 'complete', payment_status: 'paid', applied: true });
    expect(await check(customer, 'archive')).toMatchObject({ entitled: true });
  });

  it('finds a subscription by bank debit not yet applied until the debit settles, though Stripe calls it active', async () => {
    const customer = newCustomer();
    const session = await made(create(customer));
    await pay(session, 'DE89370400440532013000');
    const pending = { status: 'complete', payment_status: 'unpaid', applied: false };
    expect((await show(session.id)).body).toMatchObject(pending);
    expect(await statusOf(session.id)).toBe('active');
    expect(await check(customer, 'pro_export')).toMatchObject({ entitled: false, reason: 'payment_pending' });
    tollgate.sandbox.control.advance({ days: 4 });
    expect((await show(session.id)).body).toMatchObject({ status: 'complete', payment_status: 'paid', applied: true });
    expect(await check(customer, 'pro_export')).toMatchObject({ entitled: true, reason: 'subscription_active' });
  });

  it('never finds a subscription applied whose debit is returned, though Stripe leaves it active', async () => {
    const customer = newCustomer();
    const session = await made(create(customer));
    await pay(session, 'DE62370400440532013001');
    tollgate.sandbox.control.advance({ days: 4 });
    const returned = { status: 'complete', payment_status: 'unpaid', applied: false };
    expect((await show(session.id)).body).toMatchObject(returned);
    expect(await statusOf(session.id)).toBe('active');
    expect(await check(customer, 'pro_export')).toMatchObject({ entitled: false, reason: 'unpaid' });
  });

  it('finds a subscription applied whose first invoice was paid otherwise, as checks do', async () => {
    const customer = newCustomer();
    const session = await made(create(customer));
    await pay(session, 'DE89370400440532013000');
    const { invoice } = await tollgate.stripe.checkout.sessions.retrieve(session.id);
    await tollgate.stripe.invoices.pay(String(invoice), { paid_out_of_band: true });
    expect((await show(session.id)).body).toMatchObject({ payment_status: 'unpaid', applied: true });
    expect(await check(customer, 'pro_export')).toMatchObject({ entitled: true, reason: 'subscription_active' });
  });

  it('finds nothing where the card was declined', async () => {
    const customer = newCustomer();
    const session = await made(create(customer));
    await pay(session, '4000000000000002');
    expect((await show(session.id)).body).toMatchObject({ status: 'open', applied: false });
    expect(await check(customer, 'pro_export')).toMatchObject({ entitled: false });
  });

  it('is told to come back while Stripe is down, unless the purchase is applied already', async () => {
    const session = await made(create(newCustomer()));
    await pay(session);
    tollgate.sandbox.control.setFaults({ errorRate: 1 });
    const down = await show(session.id);
    expect([down.status, down.body.code]).toEqual([503, 'stripe_unavailable']);
    expect(down.headers.get('retry-after')).toMatch(/^\d+$/);
    tollgate.sandbox.control.clearFaults();
    const applied = await show(session.id);
    expect(applied.body.applied).toBe(true);
    tollgate.sandbox.control.setFaults({ errorRate: 1 });
    expect(await show(session.id)).toMatchObject({ status: 200, body: applied.body });
  });

  it('does not find the session of another project', async () => {
    const other = await made(tollgate.admin.post('/admin/projects', { name: 'Other', slug: 'other-session' }));
    const session = await made(create(newCustomer()));
    const foreign = await tollgate.as(other.secret_key).get(`/checkout/sessions/${session.id}`);
    const unknown = await tollgate.secret.get('/checkout/sessions/cs_test_unknown');
    expect([foreign.status, foreign.body.code]).toEqual([404, 'not_found']);
    expect({ ...foreign.body, request_id: '' }).toEqual({ ...unknown.body, request_id: '' });
  });
});
