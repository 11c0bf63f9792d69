/** Objects that nobody can be found for: parked with what helps to decide, attached by an operator, or dismissed. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Stripe } from '../../src/stripe/types.ts';
import { quiet, reconcile } from '../support/reconciling.ts';
import { startTollgate, type Tollgate, WEBHOOK_SECRET } from '../support/tollgate.ts';

let tollgate: Tollgate;
let stripe: Stripe;
let monthly: string;
let lifetime: string;

beforeAll(async () => {
  tollgate = await startTollgate({ callsPerSecond: null });
  stripe = tollgate.stripe;
  const app = tollgate.secret;
  await app.post('/features', { code: 'pro', name: 'Pro', type: 'boolean' });
  const { body: product } = await app.post('/products', { name: 'Pro', features: [{ code: 'pro' }] });
  const price = { product: product.id, currency: 'eur', unit_amount: 900 };
  monthly = (await app.post('/prices', { ...price, recurring: { interval: 'month' } })).body.id;
  lifetime = (await app.post('/prices', price)).body.id;
});
afterAll(() => tollgate.close());
beforeEach(() => quiet(tollgate));

/** What a payment link does: a session that Tollgate did not make. @returns the session as it is when paid */
async function buyByLink(extra: Stripe.Checkout.SessionCreateParams = {}, price = lifetime) {
  const { id } = await stripe.checkout.sessions.create({
    mode: price === monthly ? 'subscription' : 'payment',
    line_items: [{ price, quantity: 1 }],
    success_url: 'https://shop.example/thanks',
    ...extra,
  });
  tollgate.sandbox.control.payCheckout(id);
  return await stripe.checkout.sessions.retrieve(id);
}

/** What somebody does in Stripe's dashboard. */
async function subscribeByHand(customer: string, metadata: Record<string, string> = {}) {
  const card = await stripe.paymentMethods.attach('pm_card_visa', { customer });
  return await stripe.subscriptions.create({
    customer,
    items: [{ price: monthly }],
    default_payment_method: card.id,
    metadata,
  });
}

async function parkedOf(objectId: string, status = 'open') {
  const { body } = await tollgate.admin.get(`/admin/parked?status=${status}&object_id=${objectId}`);
  return body.data[0];
}

async function becomesParked(objectId: string, status = 'open') {
  await tollgate.until(
    async () => (await parkedOf(objectId, status)) !== undefined,
    10_000,
    `${objectId} is ${status}`,
  );
  return await parkedOf(objectId, status);
}

/** Of the two who sync an object that is attached, its job may come first. */
const SYNCED = ['applied', 'unchanged', 'stale'];

const isEntitled = async (customerId: string): Promise<boolean> =>
  (await tollgate.secret.get(`/check?customer_id=${customerId}&feature=pro`)).body.entitled;

const becomesEntitled = (customerId: string) =>
  tollgate.until(() => isEntitled(customerId), 10_000, `${customerId} is entitled`);

const attach = (id: string, customerId: string, more: object = {}) =>
  tollgate.admin.post(`/admin/parked/${id}/attach`, {
    project_id: tollgate.project.id,
    customer_id: customerId,
    reason: 'They wrote to us',
    actor: 'ada@support',
    ...more,
  });

/** What is left of a request whose process died between its commit and its answer, when that is noticed. */
async function diesBeforeItsAnswer(idempotencyKey: string): Promise<void> {
  const { rowCount } = await tollgate.database.pool.query(
    `update tollgate.idempotency_keys
        set response_status = null, response_headers = null, response_body = null,
            locked_at = locked_at - interval '1 hour', created_at = created_at - interval '1 hour'
      where idempotency_key = $1`,
    [idempotencyKey],
  );
  expect(rowCount).toBe(1);
}

async function decisionsAbout(objectId: string): Promise<number> {
  const { body } = await tollgate.admin.get('/admin/audit?action=parked.attached&limit=100');
  return body.data.filter(({ detail }: { detail: { object: string } }) => detail.object === objectId).length;
}

describe('what was made by hand in Stripe', () => {
  test('is attributed by the client reference of a payment link, bought once', async () => {
    await buyByLink({ client_reference_id: 'by_link' });
    await becomesEntitled('by_link');
  });

  test('is attributed by the client reference of a payment link, subscribed to', async () => {
    await buyByLink({ client_reference_id: 'by_link_monthly' }, monthly);
    await becomesEntitled('by_link_monthly');
  });

  test('is attributed by the price and the Stripe customer of a subscription from the dashboard', async () => {
    const { id } = await stripe.customers.create({ email: 'dashboard@example.com' });
    await tollgate.secret.put('/customers/by_dashboard', { stripe_customer_id: id });
    await subscribeByHand(id);
    await becomesEntitled('by_dashboard');
  });

  test('is attributed by a stamp that was written by hand', async () => {
    const { id } = await stripe.customers.create({});
    const metadata = { tollgate_project: tollgate.project.id, tollgate_customer: 'by_stamp' };
    await subscribeByHand(id, metadata);
    await becomesEntitled('by_stamp');
  });

  test('is nothing here when it is of a product that was never imported', async () => {
    const product = await stripe.products.create({ name: 'Other' });
    const price = await stripe.prices.create({ product: product.id, currency: 'eur', unit_amount: 100 });
    const session = await buyByLink({ client_reference_id: 'nobody' }, price.id);
    await quiet(tollgate);
    expect(await parkedOf(String(session.payment_intent))).toBeUndefined();
    expect(await isEntitled('nobody')).toBe(false);
  });
});

describe('a purchase of nobody', () => {
  test('is parked with what helps to decide, and attached by an operator', async () => {
    const session = await buyByLink({ customer_email: 'grace@example.com' });
    const payment = String(session.payment_intent);
    const parked = await becomesParked(payment);
    expect(parked).toMatchObject({
      object: 'parked_object',
      object_type: 'payment',
      reason: 'customer_unknown',
      email_hint: 'g…@example.com',
      prices: [lifetime],
      amount: { currency: 'eur', amount: 900 },
      candidates: [{ project_id: tollgate.project.id, customer_id: null, evidence: 'catalog' }],
      found_by: { type: 'event' },
      attached_to: null,
    });
    const metrics = await (await fetch(`${tollgate.url}/metrics`)).text();
    expect(metrics).toMatch(/tollgate_parked_objects\{reason="customer_unknown"\} [1-9]/);
    const listed = await tollgate.admin.get(`/admin/parked?project_id=${tollgate.project.id}&reason=customer_unknown`);
    expect(listed.body.data.map(({ id }: { id: string }) => id)).toContain(parked.id);
    expect((await tollgate.admin.get('/admin/parked?project_id=prj_other')).body.data).toEqual([]);

    const answer = await attach(parked.id, 'grace');
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      sync: { status: expect.stringMatching(/^(applied|unchanged|stale)$/), reason: null },
      parked: { status: 'attached', attached_to: { customer_id: 'grace' }, resolution: 'They wrote to us' },
      entitlements: { customer_id: 'grace', entitlements: { pro: { sources: [{ type: 'purchase', id: payment }] } } },
    });
    expect(await isEntitled('grace')).toBe(true);
    const audit = await tollgate.admin.get('/admin/audit?action=parked.attached&actor=ada@support');
    expect(audit.body.data[0]).toMatchObject({ reason: 'They wrote to us', detail: { object: payment } });

    await tollgate.until(
      async () => {
        const { body } = await tollgate.admin.get(`/admin/events?object_id=${session.id}&limit=100`);
        return body.data.length > 0 && body.data.every(({ status }: { status: string }) => status === 'processed');
      },
      10_000,
      'the events that waited are processed',
    );
  });

  test('is attached once, however often the same is asked, and to nobody else', async () => {
    const { payment_intent: payment } = await buyByLink();
    const { id } = await becomesParked(String(payment));
    const path = `/admin/parked/${id}/attach`;
    const body = { project_id: tollgate.project.id, customer_id: 'asked_twice', reason: 'They wrote to us' };
    const headers = { 'idempotency-key': `attach ${id}` };
    const first = await tollgate.admin.post(path, body, headers);
    expect(first.status).toBe(200);
    const { status, attached_to, settled_at } = first.body.parked;
    await becomesEntitled('asked_twice');
    await quiet(tollgate);

    await diesBeforeItsAnswer(headers['idempotency-key']);
    for (const again of [headers, {}, { 'idempotency-key': `attach ${id} again` }]) {
      const repeat = await tollgate.admin.post(path, body, again);
      const parked = { status, attached_to, settled_at };
      expect(repeat).toMatchObject({ status: 200, body: { parked, sync: { status: 'unchanged' } } });
      expect(repeat.body.entitlements.entitlements).toMatchObject({ pro: { sources: [{ id: payment }] } });
      expect(Object.keys(repeat.body)).toEqual(Object.keys(first.body));
    }
    expect(await attach(id, 'somebody_else')).toMatchObject({ status: 409, body: { code: 'not_parked' } });
    expect(await decisionsAbout(String(payment))).toBe(1);
  });

  test('is moved once, however often the same is asked', async () => {
    const { payment_intent: payment } = await buyByLink();
    const { id } = await becomesParked(String(payment));
    await attach(id, 'moved_from');
    for (const _ of [1, 2, 3]) expect(await attach(id, 'moved_to', { move: true })).toMatchObject({ status: 200 });
    expect(await decisionsAbout(String(payment))).toBe(2);
  });

  test('stays with whom it was attached to, follows its refunds, and can be moved', async () => {
    const session = await buyByLink();
    const payment = String(session.payment_intent);
    const { id } = await becomesParked(payment);
    await attach(id, 'wrong');
    expect(await isEntitled('wrong')).toBe(true);

    const moved = await attach(id, 'right', { move: true, reason: 'It was the other one' });
    expect(SYNCED).toContain(moved.body.sync.status);
    expect([await isEntitled('wrong'), await isEntitled('right')]).toEqual([false, true]);

    await quiet(tollgate);
    await stripe.refunds.create({ payment_intent: payment });
    await tollgate.until(async () => !(await isEntitled('right')), 10_000, 'the refund has arrived');
  });

  test('is attached while Stripe is away, and gives access once Stripe is back: nobody has to ask again', async () => {
    const subscription = await subscribeByHand((await stripe.customers.create()).id);
    const { id } = await becomesParked(subscription.id);
    await quiet(tollgate);
    // As often as the SDK asks for one answer.
    const path = `/v1/subscriptions/${subscription.id}`;
    tollgate.sandbox.control.failRequests({ method: 'GET', path, times: 2, outcome: 500 });
    const { body } = await attach(id, 'while_away');
    expect(body.sync).toEqual({ status: 'pending', reason: 'stripe_unavailable' });
    await becomesEntitled('while_away');
  });

  test('that has been dismissed is no drift, and opens again when the evidence changes', async () => {
    const customer = await stripe.customers.create({ email: 'stranger@example.com' });
    const subscription = await subscribeByHand(customer.id);
    const { id } = await becomesParked(subscription.id);
    const eventsAre = async () => {
      const { body } = await tollgate.admin.get(`/admin/events?object_id=${subscription.id}&limit=100`);
      return [...new Set(body.data.map(({ status }: { status: string }) => status))];
    };
    await quiet(tollgate);
    expect(await eventsAre()).toEqual(['parked']);
    const dismissed = await tollgate.admin.post(`/admin/parked/${id}/dismiss`, { reason: 'A test of our own' });
    expect(dismissed).toMatchObject({ status: 200, body: { status: 'dismissed', resolution: 'A test of our own' } });
    const repeat = await tollgate.admin.post(`/admin/parked/${id}/dismiss`, { reason: 'A test of our own' });
    const { settled_at } = dismissed.body;
    expect(repeat).toMatchObject({ status: 200, body: { status: 'dismissed', settled_at } });
    expect(await tollgate.admin.post(`/admin/parked/${id}/dismiss`, { reason: 'Again' })).toMatchObject({
      status: 409,
    });
    await quiet(tollgate);
    expect(await eventsAre()).toEqual(['ignored']);

    const run = await reconcile(tollgate);
    expect(run.drifts.filter((drift) => drift.object_id === subscription.id)).toEqual([]);
    expect(await parkedOf(subscription.id, 'dismissed')).toMatchObject({ id });

    await stripe.subscriptions.update(subscription.id, { metadata: { tollgate_project: 'prj_unknown' } });
    expect(await becomesParked(subscription.id)).toMatchObject({ id, reason: 'stamped_project_unknown' });
    const audit = await tollgate.admin.get('/admin/audit?action=parked.dismissed');
    expect(audit.body.data).toMatchObject([{ reason: 'A test of our own', detail: { parked: id } }]);
  });

  test('that has been dismissed, and is attached after all, gives nothing for money that went back meanwhile', async () => {
    const subscription = await subscribeByHand((await stripe.customers.create()).id);
    const { id } = await becomesParked(subscription.id);
    await tollgate.admin.post(`/admin/parked/${id}/dismiss`, { reason: 'Not ours' });
    await quiet(tollgate);
    const { data } = await stripe.invoicePayments.list({ invoice: String(subscription.latest_invoice) });
    const payment = String(data[0]?.payment.payment_intent);
    tollgate.sandbox.control.dispute(payment);
    const about = `/admin/events?type=charge.dispute.created&object_id=${payment}`;
    const heard = async () => (await tollgate.admin.get(about)).body.data[0]?.status === 'ignored';
    await tollgate.until(heard, 10_000, 'the dispute is ignored');
    await quiet(tollgate);
    await attach(id, 'changed_mind');
    await quiet(tollgate);
    tollgate.sandbox.control.advance({ seconds: 2 });
    const { body } = await tollgate.secret.get('/check?customer_id=changed_mind&feature=pro');
    expect(body).toMatchObject({ entitled: false, reason: 'disputed' });
  });

  test('is settled by itself once its Stripe customer is known', async () => {
    const customer = await stripe.customers.create({});
    const subscription = await subscribeByHand(customer.id);
    await becomesParked(subscription.id);
    await tollgate.secret.put('/customers/late', { stripe_customer_id: customer.id });
    await becomesEntitled('late');
    expect(await becomesParked(subscription.id, 'resolved')).toMatchObject({ resolution: 'attributed' });
  });

  test('that Stripe has no more is gone', async () => {
    const customer = await stripe.customers.create({});
    const metadata = { tollgate_project: 'prj_of_nobody' };
    await stripe.customers.update(customer.id, { metadata });
    await becomesParked(customer.id);
    await stripe.customers.del(customer.id);
    expect(await becomesParked(customer.id, 'gone')).toMatchObject({ resolution: 'missing_in_stripe' });
  });

  test('is found by a reconciliation when no event told of it', async () => {
    tollgate.sandbox.deliverTo([]);
    const customer = await stripe.customers.create({});
    const subscription = await subscribeByHand(customer.id);
    const dry = await reconcile(tollgate, { dry_run: true });
    expect(dry.counts.parked).toBeGreaterThan(0);
    expect(await parkedOf(subscription.id)).toBeUndefined();
    const run = await reconcile(tollgate);
    expect(await parkedOf(subscription.id)).toMatchObject({ found_by: { type: 'reconciliation', id: run.id } });
    tollgate.sandbox.deliverTo([{ url: `${tollgate.url}/api/v1/webhooks/stripe`, secret: WEBHOOK_SECRET }]);
  });
});

describe('evidence that contradicts itself', () => {
  test('names everyone, and the operator’s word beats it for good', async () => {
    const { id: customer } = await stripe.customers.create({});
    await tollgate.secret.put('/customers/has_it', { stripe_customer_id: customer });
    await quiet(tollgate);
    const subscription = await subscribeByHand(customer);
    await becomesEntitled('has_it');
    const metadata = { tollgate_project: tollgate.project.id, tollgate_customer: 'is_stamped' };
    await stripe.subscriptions.update(subscription.id, { metadata });
    const parked = await becomesParked(subscription.id);
    expect(parked.reason).toBe('customer_conflict');
    expect(parked.candidates).toEqual(
      expect.arrayContaining([
        { project_id: tollgate.project.id, customer_id: 'has_it', evidence: 'stripe_customer' },
        { project_id: tollgate.project.id, customer_id: 'is_stamped', evidence: 'stamp' },
        { project_id: tollgate.project.id, customer_id: 'has_it', evidence: 'known' },
      ]),
    );

    const answer = await attach(parked.id, 'is_stamped');
    expect(SYNCED).toContain(answer.body.sync.status);
    // The cache hears of the former owner's loss a moment later.
    await tollgate.until(async () => !(await isEntitled('has_it')), 5_000, 'the former owner has lost it');
    expect(await isEntitled('is_stamped')).toBe(true);
    await quiet(tollgate);
    await stripe.subscriptions.update(subscription.id, { metadata: { note: 'looked at' } });
    await quiet(tollgate);
    expect([await isEntitled('has_it'), await isEntitled('is_stamped')]).toEqual([false, true]);
    const { drifts } = await reconcile(tollgate);
    expect(drifts.filter(({ object_id }) => object_id === subscription.id)).toEqual([]);
  });

  test('between two projects is settled in favour of the one that the operator names', async () => {
    const made = await tollgate.admin.post('/admin/projects', { name: 'Other', slug: `other-${Date.now()}` });
    const other = tollgate.as(made.body.secret_key);
    await other.post('/features', { code: 'pro', name: 'Pro', type: 'boolean' });
    const { id: customer } = await stripe.customers.create({});
    await tollgate.secret.put('/customers/both', { stripe_customer_id: customer });
    const subscription = await subscribeByHand(customer);
    await becomesEntitled('both');
    const metadata = { tollgate_project: made.body.id, tollgate_customer: 'elsewhere' };
    await stripe.subscriptions.update(subscription.id, { metadata });
    const parked = await becomesParked(subscription.id);
    expect(parked.reason).toBe('project_conflict');
    const answer = await attach(parked.id, 'elsewhere', { project_id: made.body.id });
    expect(answer.status).toBe(200);
    const kept = await other.get('/customers/elsewhere');
    expect(kept.body.subscriptions).toMatchObject([{ id: subscription.id }]);
    expect((await tollgate.secret.get('/customers/both')).body.subscriptions).toEqual([]);
    expect(await isEntitled('both')).toBe(false);
    const back = await attach(parked.id, 'both', { move: true });
    expect(back.body.entitlements.entitlements).toHaveProperty('pro');
    expect((await other.get('/customers/elsewhere')).body.subscriptions).toEqual([]);
  });
});

describe('linking the Stripe customer too', () => {
  test('makes the next objects of it need nobody', async () => {
    const { id: customer } = await stripe.customers.create({});
    const first = await subscribeByHand(customer);
    const { id } = await becomesParked(first.id);
    const answer = await attach(id, 'regular', { link_stripe_customer: true });
    expect(answer).toMatchObject({ status: 200, body: { entitlements: { entitlements: { pro: {} } } } });
    await stripe.subscriptions.cancel(first.id);
    await tollgate.until(async () => !(await isEntitled('regular')), 10_000, 'the first has ended');
    await subscribeByHand(customer);
    await becomesEntitled('regular');
  });

  test('is part of one decision, however often the same is asked, and may be asked for later', async () => {
    const { id: customer } = await stripe.customers.create({});
    const subscription = await subscribeByHand(customer);
    const { id } = await becomesParked(subscription.id);
    expect(await attach(id, 'linked_later')).toMatchObject({ status: 200 });
    expect(await stampOf(customer)).toBeUndefined();
    const link = { link_stripe_customer: true };
    expect(await attach(id, 'linked_later', link)).toMatchObject({ status: 200 });
    // As for who did not hear the answer, since Stripe was away when it was to be stamped.
    await stripe.customers.update(customer, { metadata: { tollgate_customer: '' } });
    expect(await attach(id, 'linked_later', link)).toMatchObject({ status: 200 });
    const { body } = await tollgate.secret.get('/customers/linked_later');
    expect(body.stripe_customer_id).toBe(customer);
    expect(await stampOf(customer)).toBe(body.id);
    expect(await decisionsAbout(subscription.id)).toBe(1);
    expect(await linksOf(customer)).toMatchObject([
      { customer: body.id, actor: 'ada@support', reason: 'They wrote to us', detail: { replaces: null } },
    ]);
  });

  test('is refused with the decision where somebody else decided first, and leaves no trace', async () => {
    const { id: customer } = await stripe.customers.create({});
    const subscription = await subscribeByHand(customer);
    const { id } = await becomesParked(subscription.id);
    await quiet(tollgate);
    const holder = await tollgate.database.pool.connect();
    await holder.query('begin');
    await holder.query('select from tollgate.parked_objects where id = $1 for update', [id]);
    const first = attach(id, 'decided_first');
    await becomesWaitedFor(1);
    const second = attach(id, 'decided_second', { link_stripe_customer: true });
    await becomesWaitedFor(2);
    await holder.query('commit');
    holder.release();
    expect(await first).toMatchObject({ status: 200 });
    expect(await second).toMatchObject({ status: 409, body: { code: 'not_parked' } });
    expect(await tollgate.secret.get('/customers/decided_second')).toMatchObject({ status: 404 });
    expect(await stampOf(customer)).toBeUndefined();
    expect(await linksOf(customer)).toEqual([]);
    expect((await tollgate.secret.get('/customers/decided_first')).body.subscriptions).toMatchObject([
      { id: subscription.id },
    ]);
  });

  async function stampOf(stripeCustomer: string): Promise<string | undefined> {
    const found = await stripe.customers.retrieve(stripeCustomer);
    return found.deleted === true ? undefined : found.metadata.tollgate_customer;
  }

  async function linksOf(stripeCustomer: string) {
    const { body } = await tollgate.admin.get('/admin/audit?action=customer.linked&limit=100');
    return body.data.filter(({ detail }: { detail: { stripe_customer: string } }) => {
      return detail.stripe_customer === stripeCustomer;
    });
  }

  const becomesWaitedFor = (count: number) =>
    tollgate.until(async () => {
      const { rowCount } = await tollgate.database.pool.query(
        `select from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock' and query like '%parked_objects%'`,
      );
      return rowCount === count;
    });

  test('is refused where it would show a project what is another’s, and attaches nothing', async () => {
    const made = await tollgate.admin.post('/admin/projects', { name: 'Third', slug: `third-${Date.now()}` });
    const { id: customer } = await stripe.customers.create({});
    await tollgate.as(made.body.secret_key).put('/customers/theirs', { stripe_customer_id: customer });
    const session = await buyByLink({ customer });
    const parked = await becomesParked(String(session.payment_intent));
    expect(parked.reason).toBe('project_conflict');
    expect(await attach(parked.id, 'ours', { link_stripe_customer: true })).toMatchObject({ status: 404 });
    expect(await parkedOf(String(session.payment_intent))).toMatchObject({ status: 'open', attached_to: null });
    expect(await attach(parked.id, 'ours')).toMatchObject({ status: 200 });
    expect((await tollgate.secret.get('/customers/ours')).body.stripe_customer_id).toBeNull();
  });
});

describe('refusals', () => {
  test('name what is wrong', async () => {
    expect(await attach('park_unknown', 'ada')).toMatchObject({ status: 404, body: { code: 'not_found' } });
    const session = await buyByLink();
    const { id } = await becomesParked(String(session.payment_intent));
    expect(await attach(id, 'ada', { project_id: 'prj_unknown' })).toMatchObject({ status: 404 });
    await tollgate.database.pool.query(
      `insert into tollgate.projects (id, name, slug, access_policy, connection_id)
       values ('prj_far', 'Far', 'far', '{}', 'another')`,
    );
    expect(await attach(id, 'ada', { project_id: 'prj_far' })).toMatchObject({
      status: 409,
      body: { code: 'other_connection' },
    });
    expect(await attach(id, 'ada', { link_stripe_customer: true })).toMatchObject({ status: 409 });
    expect(await isEntitled('ada')).toBe(false);

    const product = await stripe.products.create({ name: 'Torn', metadata: { tollgate_project: 'prj_unknown' } });
    const torn = await becomesParked(product.id);
    expect(await attach(torn.id, 'ada')).toMatchObject({ status: 409, body: { code: 'not_attachable' } });
  });
});
