/** A business with years in Stripe points Tollgate at its account. No event of it ever arrives. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Client } from '../support/client.ts';
import { quiet, reconcile } from '../support/reconciling.ts';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

let tollgate: Tollgate;
let pro: { product: string; monthly: string; lifetime: string };
let team: { product: string; monthly: string };

beforeAll(async () => {
  tollgate = await startTollgate({ deaf: true, import: { pageSize: 4 }, callsPerSecond: null });
  const { stripe, secret } = tollgate;
  await secret.post('/features', { code: 'pro', name: 'Pro', type: 'boolean' });
  await secret.post('/features', { code: 'seats', name: 'Seats', type: 'limit' });
  const product = await stripe.products.create({ name: 'Pro' });
  const price = { product: product.id, currency: 'eur', unit_amount: 900 };
  const recurring = { interval: 'month' } as const;
  pro = {
    product: product.id,
    monthly: (await stripe.prices.create({ ...price, recurring })).id,
    lifetime: (await stripe.prices.create(price)).id,
  };
  const other = await stripe.products.create({ name: 'Team' });
  team = {
    product: other.id,
    monthly: (await stripe.prices.create({ product: other.id, currency: 'eur', unit_amount: 500, recurring })).id,
  };
});
afterAll(() => tollgate.close());

interface Imported {
  id: string;
  status: string;
  error: string | null;
  counts: Record<string, number>;
  entitled: { feature: string; customers: number }[];
}

async function importAll(body: object = {}): Promise<Imported> {
  const started = await tollgate.admin.post('/admin/import', {
    project_id: tollgate.project.id,
    customer_id_from: 'metadata.user_id',
    reason: 'We come from a script of our own',
    ...body,
  });
  expect(started.status, JSON.stringify(started.body)).toBe(202);
  return await ended(started.body.id);
}

async function ended(id: string): Promise<Imported> {
  const read = async () => (await tollgate.admin.get(`/admin/imports/${id}`)).body;
  await tollgate.until(async () => ['completed', 'failed'].includes((await read()).status), 30_000, `${id} ends`);
  return await read();
}

/** Every page of a list of an import. */
async function all(id: string, list: 'customers' | 'parked') {
  const data = [];
  for (let cursor = ''; ; ) {
    const { body } = await tollgate.admin.get(`/admin/imports/${id}/${list}?limit=3${cursor}`);
    data.push(...body.data);
    if (!body.has_more) return data;
    cursor = `&cursor=${body.next_cursor}`;
  }
}

/** A subscription that somebody has had for long, made by whatever the business used before. */
async function subscriber(userId: string | null, prices: string[] = [pro.monthly], more: object = {}) {
  const { stripe } = tollgate;
  const metadata = userId === null ? {} : { user_id: userId };
  const customer = await stripe.customers.create({
    email: `${userId ?? 'nobody'}@example.com`,
    name: 'Somebody',
    metadata,
  });
  const card = await stripe.paymentMethods.attach('pm_card_visa', { customer: customer.id });
  const items = prices.map((price) => ({ price }));
  const subscription = await stripe.subscriptions.create({
    customer: customer.id,
    items,
    default_payment_method: card.id,
    ...more,
  });
  return { customer: customer.id, card: card.id, subscription: subscription.id };
}

/** A purchase by a payment link or a page of the business. */
async function buyer(more: object = {}, price = pro.lifetime) {
  const { id } = await tollgate.stripe.checkout.sessions.create({
    mode: 'payment',
    line_items: [{ price, quantity: 1 }],
    success_url: 'https://shop.example/thanks',
    ...more,
  });
  tollgate.sandbox.control.payCheckout(id);
  return await tollgate.stripe.checkout.sessions.retrieve(id);
}

const isEntitled = async (customerId: string, app: Client = tollgate.secret): Promise<boolean> =>
  (await app.get(`/check?customer_id=${encodeURIComponent(customerId)}&feature=pro`)).body.entitled;

/** How often a customer has gained anything, be it for a moment. */
async function timesGained(customerId: string): Promise<number> {
  const { body } = await tollgate.secret.get(`/entitlements/history?customer_id=${customerId}`);
  const changes: { change: string }[] = body.data.flatMap((version: { changes: object[] }) => version.changes);
  return changes.filter(({ change }) => change === 'gained').length;
}

/** What a reconciliation of everything finds, but for what is parked: that stays until a person decides. */
async function foundWrong() {
  return (await reconcile(tollgate)).drifts.filter(({ kind }) => kind !== 'unattributed');
}

async function count(table: string): Promise<number> {
  const { rows } = await tollgate.database.pool.query(`select count(*)::int as count from tollgate.${table}`);
  return rows[0].count;
}

describe('importing an account', () => {
  let dry: Imported;
  let real: Imported;
  let nobody: string;
  let bare: string;
  const products = () => [{ product: pro.product, features: [{ code: 'pro' }] }];

  test('a dry run says who would be entitled to what, and writes nothing', async () => {
    for (let n = 0; n < 9; n++) await subscriber(`u_${n}`);
    const ended = await subscriber('left');
    await tollgate.stripe.subscriptions.cancel(ended.subscription);
    await subscriber('late', [pro.monthly], { trial_period_days: 7 });
    await subscriber('of_team', [team.monthly]);
    nobody = (await subscriber(null)).subscription;
    await buyer({ client_reference_id: 'by_link' });
    const refunded = await buyer({ client_reference_id: 'refunded' });
    await tollgate.stripe.refunds.create({ payment_intent: String(refunded.payment_intent) });
    await buyer({ customer_email: 'guest@example.com' });

    const never = (metadata: Record<string, string>) =>
      tollgate.stripe.customers.create({ email: 'never@example.com', metadata });
    bare = (await never({ user_id: 'never_bought' })).id;
    // Somebody who once made another account there, and buys with the older one.
    await never({ user_id: 'u_0' });
    await never({ unrelated: 'yes' });

    dry = await importAll({ dry_run: true, products: products() });
    expect(dry).toMatchObject({ status: 'completed', error: null });
    expect(dry.counts).toMatchObject({ subscriptions: 13, purchases: 3, applied: 13, elsewhere: 1, parked: 2 });
    expect(dry.counts).toMatchObject({ customers: 16, skipped: 16, money_back: 0 });
    expect(dry.entitled).toEqual([{ feature: 'pro', customers: 11 }]);
    const reasons = (await all(dry.id, 'parked')).map(({ reason }) => reason);
    expect(reasons.filter((reason) => reason === 'customer_unknown')).toHaveLength(2);
    for (const table of ['facts', 'customers', 'products', 'snapshots', 'parked_objects', 'object_sequences']) {
      expect([table, await count(table)]).toEqual([table, 0]);
    }
  });

  test('a real run does what the dry one said', async () => {
    real = await importAll({ products: products() });
    expect(real).toMatchObject({ status: 'completed', error: null });
    // Part of an account: only who buys of it is taken, and by then a dry run has linked nobody.
    expect(real.counts).toEqual({ ...dry.counts, linked: 11, skipped: 5 });
    expect(real.entitled).toEqual(dry.entitled);
    expect(await all(real.id, 'customers')).toEqual(await all(dry.id, 'customers'));
    const left = await all(real.id, 'parked');
    expect(await all(dry.id, 'parked')).toEqual(expect.arrayContaining(left));
    expect(left.filter(({ reason }) => reason === 'account_shared')).toHaveLength(5);
    const entitled = ['u_0', 'u_8', 'late', 'by_link'];
    for (const customer of entitled) expect([customer, await isEntitled(customer)]).toEqual([customer, true]);
    for (const customer of ['left', 'refunded', 'of_team']) {
      expect([customer, await isEntitled(customer)]).toEqual([customer, false]);
    }
  });

  test('keeps the history, the Stripe customer and the trial of each', async () => {
    const { body } = await tollgate.secret.get('/customers/left');
    expect(body).toMatchObject({
      email: 'left@example.com',
      name: 'Somebody',
      subscriptions: [{ status: 'canceled' }],
    });
    expect(body.stripe_customer_id).toMatch(/^cus_/);
    expect((await tollgate.secret.get('/customers/refunded')).body.purchases).toMatchObject([
      { refunded: { amount: 900 } },
    ]);
    const history = await tollgate.secret.get('/entitlements/history?customer_id=u_0');
    expect(history.body.data[0].cause).toEqual({ type: 'import', id: real.id });
    const { rows } = await tollgate.database.pool.query('select count(*)::int as count from tollgate.trials');
    expect(rows[0].count).toBe(1);
  });

  test('the latest payment of each subscription is in the ledger', async () => {
    const { body } = await tollgate.secret.get('/customers/u_1/payments');
    expect(body.data).toMatchObject([{ status: 'paid', amount: { amount: 900 } }]);
    // Nobody has paid for a trial yet; what was bought by link is there with its purchase.
    expect(await count('payments')).toBe(12);
  });

  test('a second run changes nothing', async () => {
    const before = [await count('fact_versions'), await count('snapshot_versions'), await count('customers')];
    const second = await importAll({ products: products() });
    expect(second.counts).toMatchObject({ applied: 0, unchanged: 13, elsewhere: 1, parked: 2, linked: 11, skipped: 5 });
    expect(second.entitled).toEqual([]);
    expect([await count('fact_versions'), await count('snapshot_versions'), await count('customers')]).toEqual(before);
  });

  test('a reconciliation afterwards finds nothing', async () => {
    expect(await foundWrong()).toEqual([]);
  });

  test('what nobody could be found for is parked, and attached by an operator', async () => {
    const { body } = await tollgate.admin.get(`/admin/parked?object_id=${nobody}`);
    expect(body.data).toMatchObject([{ reason: 'customer_unknown', found_by: { type: 'import', id: real.id } }]);
    const attached = await tollgate.admin.post(`/admin/parked/${body.data[0].id}/attach`, {
      project_id: tollgate.project.id,
      customer_id: 'found',
      reason: 'Their invoice says so',
    });
    expect(attached.body.entitlements.entitlements).toHaveProperty('pro');
  });

  test('features that are mapped afterwards reach everybody', async () => {
    await tollgate.secret.put(`/products/${pro.product}/features`, {
      features: [{ code: 'pro' }, { code: 'seats', value: 3 }],
    });
    await quiet(tollgate);
    const { body } = await tollgate.secret.get('/check?customer_id=u_3&feature=seats');
    expect(body).toMatchObject({ entitled: true, value: 3 });
  });

  test('live webhooks and a later import agree on what changed meanwhile', async () => {
    const { subscription } = await subscriber('changing');
    await importAll({ products: products() });
    expect(await isEntitled('changing')).toBe(true);
    await tollgate.stripe.subscriptions.cancel(subscription);
    const again = await importAll({ products: products() });
    expect(again.counts).toMatchObject({ applied: 1 });
    expect(await isEntitled('changing')).toBe(false);
  });

  test('who never bought anything is there as well, with the Stripe customer of the first checkout to come', async () => {
    const before = await Promise.all([count('customers'), count('object_sequences')]);
    const told = await importAll({ dry_run: true });
    expect(await Promise.all([count('customers'), count('object_sequences')])).toEqual(before);
    const whole = await importAll();
    expect(whole.counts).toEqual(told.counts);
    expect(whole.counts).toMatchObject({ customers: 17, linked: 14, skipped: 3 });
    const left = (await all(whole.id, 'parked')).filter(({ object_type }) => object_type === 'customer');
    expect(left.map(({ reason }) => reason).sort()).toEqual([
      'customer_id_missing',
      'customer_id_missing',
      'linked_to_another',
    ]);
    expect((await importAll()).counts).toMatchObject({ applied: 0, linked: 14, skipped: 3 });
    expect(await foundWrong()).toEqual([]);
    expect((await tollgate.secret.get('/customers/never_bought')).body).toMatchObject({
      stripe_customer_id: bare,
      email: 'never@example.com',
    });
    const checkout = await tollgate.secret.post('/checkout/sessions', {
      customer_id: 'never_bought',
      price: pro.monthly,
      success_url: 'https://shop.example/thanks',
      cancel_url: 'https://shop.example/prices',
    });
    expect(checkout.status, JSON.stringify(checkout.body)).toBe(201);
    const sessions = await tollgate.stripe.checkout.sessions.list({ customer: bare });
    expect(sessions.data).toHaveLength(1);
    // Of two Stripe customers of one person, the one that pays.
    const { body } = await tollgate.secret.get('/customers/u_0');
    const subscriptions = await tollgate.stripe.subscriptions.list({ customer: body.stripe_customer_id });
    expect(subscriptions.data).toHaveLength(1);
  });
});

describe('money that went back', () => {
  test('comes with an import, so that a reconciliation finds nothing, whatever the policy', async () => {
    const { stripe, admin, project } = tollgate;
    const policy = await admin.patch(`/admin/projects/${project.id}`, {
      access_policy: { subscription_refund: 'revoke_period' },
    });
    expect(policy.status, JSON.stringify(policy.body)).toBe(200);
    const intentOf = async (subscription: string) => {
      const { latest_invoice: invoice } = await stripe.subscriptions.retrieve(subscription);
      const [payment] = (await stripe.invoicePayments.list({ invoice: String(invoice) })).data;
      return String(payment?.payment.payment_intent);
    };
    const back = await subscriber('money_back');
    const refunded = await intentOf(back.subscription);
    await stripe.refunds.create({ payment_intent: refunded });
    const part = await subscriber('part_back');
    await stripe.refunds.create({ payment_intent: await intentOf(part.subscription), amount: 100 });

    const tried = await importAll({ dry_run: true });
    expect(tried.counts).toMatchObject({ money_back: 2, applied: 4 });
    const done = await importAll();
    expect(done.counts).toMatchObject({ money_back: 2, applied: 4 });
    expect(await isEntitled('money_back')).toBe(false);
    expect(await isEntitled('part_back')).toBe(true);
    const gained = (await all(done.id, 'customers')).map(({ customer_id }) => customer_id);
    expect(gained).toContain('part_back');
    expect(gained).not.toContain('money_back');
    expect(await timesGained('money_back')).toBe(0);
    expect(await foundWrong()).toEqual([]);

    const again = await importAll();
    expect(again.counts).toMatchObject({ money_back: 2, applied: 0 });
    const restored = await admin.patch(`/admin/projects/${project.id}`, {
      access_policy: { subscription_refund: 'ignore' },
    });
    expect(restored.status).toBe(200);
    await quiet(tollgate);
  });
});

describe('what a payer can choose', () => {
  test('gives away what was paid for, and never somebody’s billing', async () => {
    await subscriber('by_mail');
    await importAll({ customer_id_from: 'email', products: [{ product: pro.product }] });
    const { body } = await tollgate.secret.get('/customers/by_mail@example.com');
    expect(body).toMatchObject({ stripe_customer_id: null, subscriptions: [{ status: 'active' }] });
    const portal = { customer_id: 'by_mail@example.com', return_url: 'https://app.example/' };
    expect((await tollgate.secret.post('/portal/sessions', portal)).body.code).toBe('no_billing_account');
  });

  test('is no name that every object has', async () => {
    const { subscription } = await subscriber('inherited');
    const { id } = await importAll({
      customer_id_from: 'metadata.constructor',
      products: [{ product: pro.product }],
    });
    expect((await all(id, 'parked')).map((one) => one.object_id)).toContain(subscription);
    expect(await all(id, 'customers')).toEqual([]);
  });
});

describe('an account that several projects share', () => {
  test('each takes its own, and neither the other’s', async () => {
    const made = await tollgate.admin.post('/admin/projects', { name: 'Team', slug: `team-${Date.now()}` });
    const other = tollgate.as(made.body.secret_key);
    await other.post('/features', { code: 'pro', name: 'Pro', type: 'boolean' });
    const theirs = await tollgate.stripe.products.create({
      name: 'Of another installation',
      metadata: { tollgate_installation: 'staging', tollgate_project: 'prj_x' },
    });
    const shop = await tollgate.stripe.products.create({ name: 'Shop' });
    const recurring = { interval: 'month' } as const;
    const fee = { product: shop.id, currency: 'eur', unit_amount: 300, recurring };
    const monthly = (await tollgate.stripe.prices.create(fee)).id;
    const both = await subscriber('both', [pro.monthly]);
    await tollgate.stripe.subscriptions.create({
      customer: both.customer,
      items: [{ price: monthly }],
      default_payment_method: both.card,
    });

    const first = await importAll({ project_id: made.body.id });
    expect(first).toMatchObject({ status: 'completed' });
    const { body } = await other.get('/products');
    expect(body.data.map(({ id }: { id: string }) => id)).toEqual([shop.id]);
    const second = await importAll();
    // Nothing says whose they are who never bought anything.
    expect((await all(second.id, 'parked')).map(({ reason }) => reason)).toContain('account_shared');
    const shown = [await other.get('/customers/both'), await tollgate.secret.get('/customers/both')];
    expect(shown.map((answer) => answer.body.subscriptions.length)).toEqual([1, 1]);
    // With a link would go what the other project sold.
    expect(shown.map((answer) => answer.body.stripe_customer_id)).toEqual([null, null]);
    expect((await tollgate.stripe.products.retrieve(theirs.id)).metadata.tollgate_installation).toBe('staging');

    const refused = await importAll({ project_id: made.body.id, products: [{ product: pro.product }] });
    expect(refused).toMatchObject({ status: 'failed', error: expect.stringContaining('another project') });
  });
});

describe('an import', () => {
  test('is one at a time for a project, checked before it begins, and audited', async () => {
    const start = (body: object) =>
      tollgate.admin.post('/admin/import', { project_id: tollgate.project.id, reason: 'Again', ...body });
    expect(await start({ products: [{ product: 'prod_x', features: [{ code: 'nope' }] }] })).toMatchObject({
      status: 400,
      body: { errors: [{ path: 'products.0.features.0.code' }] },
    });
    expect(await start({ customer_id_from: 'phone' })).toMatchObject({ status: 400 });
    expect(await start({ project_id: 'prj_nobody' })).toMatchObject({ status: 404 });
    const answers = await Promise.all([start({}), start({}), start({})]);
    expect(answers.map(({ status }) => status).sort()).toEqual([202, 409, 409]);
    const [accepted] = answers.filter(({ status }) => status === 202);
    const [second] = answers.filter(({ status }) => status === 409);
    expect(second?.body).toMatchObject({ code: 'import_running', import_id: accepted?.body.id });
    await ended(accepted?.body.id);
    const missing = await importAll({ products: [{ product: 'prod_missing' }] });
    expect(missing).toMatchObject({ status: 'failed', error: expect.stringContaining('prod_missing') });
    const audit = await tollgate.admin.get(`/admin/audit?action=import.completed`);
    expect(audit.body.data.map(({ detail }: { detail: { import: string } }) => detail.import)).toContain(
      accepted?.body.id,
    );
    const listed = await tollgate.admin.get(`/admin/imports?project_id=${tollgate.project.id}`);
    expect(listed.body.data[0]).toMatchObject({ id: missing.id, object: 'import' });
  });
});
