import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../../src/platform/ids.ts';
import { activeSubscription, paidPurchase } from '../support/facts.ts';
import { type Selling, type SellingProject, startSelling } from '../support/selling.ts';

let selling: Selling;
let project: SellingProject;
let other: SellingProject;

beforeAll(async () => {
  selling = await startSelling();
  project = await selling.createProject('one');
  other = await selling.createProject('two');
});
afterAll(() => selling.close());

const codeOf = ({ status, body }: { status: number; body: { code: string } }) => [status, body.code];
const path = (customer: string) => `/customers/${encodeURIComponent(customer)}`;
const put = (customer: string, body: object, by = project) => by.secret.put(path(customer), body);
const get = (customer: string, by = project) => by.secret.get(path(customer));
const rowsOf = (customer: string) =>
  selling.database.db.selectFrom('tollgate.customers').selectAll().where('external_id', '=', customer).execute();
const inStripe = async (metadata: Record<string, string> = {}) =>
  (await selling.stripe.customers.create({ email: 'payer@example.com', metadata })).id;
const metadataOf = async (id: string) => {
  const customer = await selling.stripe.customers.retrieve(id);
  if (customer.deleted === true) throw new Error(`${id} is deleted.`);
  return customer.metadata;
};

describe('putting a customer', () => {
  test('creates one that is new', async () => {
    const made = await put('u_new', { email: 'ada@example.com', name: 'Ada' });
    expect(made.status).toBe(200);
    expect(made.body).toMatchObject({
      object: 'customer',
      id: expect.stringMatching(/^cust_/),
      customer_id: 'u_new',
      email: 'ada@example.com',
      name: 'Ada',
      stripe_customer_id: null,
      subscriptions: [],
      purchases: [],
      grants: [],
      truncated: false,
    });
    expect((await get('u_new')).body).toEqual(made.body);
  });

  test('changes what it names and leaves the rest', async () => {
    const first = (await put('u_changed', { email: 'old@example.com', name: 'Old' })).body;
    const second = (await put('u_changed', { email: 'new@example.com' })).body;
    expect(second).toMatchObject({ id: first.id, email: 'new@example.com', name: 'Old' });
    expect((await put('u_changed', { name: null })).body).toMatchObject({ email: 'new@example.com', name: null });
  });

  test('that says nothing new changes nothing', async () => {
    const first = (await put('u_same', { email: 'same@example.com' })).body;
    expect((await put('u_same', { email: 'same@example.com' })).body).toEqual(first);
    expect((await put('u_same', {})).body).toEqual(first);
  });

  test('at once by twenty makes one customer', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => put('u_contended', { email: `u${n}@example.com` })),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    expect(await rowsOf('u_contended')).toHaveLength(1);
  });

  test.each(['a/b?c#d', '100% Größe', 'with space', '..%2f', "o'neil", 'x'.repeat(200), '日本'])(
    'takes the customer id %j as it is',
    async (customer) => {
      expect((await put(customer, {})).body.customer_id).toBe(customer);
      expect((await get(customer)).body.customer_id).toBe(customer);
    },
  );

  test('tells ids apart by case', async () => {
    expect((await put('Case', {})).body.id).not.toBe((await put('case', {})).body.id);
  });

  test.each([
    [{ email: 'nobody' }, 'email'],
    [{ email: 'a b@c' }, 'email'],
    [{ email: '' }, 'email'],
    [{ email: 5 }, 'email'],
    [{ name: ' ' }, 'name'],
    [{ name: 'x'.repeat(257) }, 'name'],
    [{ stripe_customer_id: null }, 'stripe_customer_id'],
    [{ stripe_customer_id: 'cus/1' }, 'stripe_customer_id'],
    [{ customer_id: 'u_2' }, 'customer_id'],
    [{ project_id: 'prj_1' }, 'project_id'],
  ])('refuses %j and names %s', async (body, field) => {
    const answer = await put('u_refused', body);
    expect(codeOf(answer)).toEqual([400, 'invalid_request']);
    expect(answer.body.errors).toContainEqual(expect.objectContaining({ path: field }));
    expect(await rowsOf('u_refused')).toEqual([]);
  });

  test.each(['x'.repeat(201), 'line\nbreak'])('refuses the customer id %j', async (customer) => {
    expect(codeOf(await put(customer, {}))).toEqual([400, 'invalid_request']);
    expect(codeOf(await get(customer))).toEqual([400, 'invalid_request']);
  });
});

describe('linking a Stripe customer', () => {
  test('stamps it, and has what it has brought in', async () => {
    const id = await inStripe({ crm: '17' });
    const answer = await put('u_linked', { stripe_customer_id: id, name: 'Linked' });
    expect(answer.body).toMatchObject({ customer_id: 'u_linked', name: 'Linked', stripe_customer_id: id });
    expect(await metadataOf(id)).toEqual({
      crm: '17',
      tollgate_installation: 'test-installation',
      tollgate_project: project.id,
      tollgate_customer: answer.body.id,
    });
    const keys = await selling.jobKeys();
    expect(keys).toContain(`sync:default:${id}`);
    expect(keys).toContain(`wake:default:${id}`);
    const { rows } = await selling.database.pool.query(
      'select payload from graphile_worker._private_jobs where key = $1',
      [`sync:default:${id}`],
    );
    const cause = { type: 'customer', id: answer.body.id };
    expect(rows).toEqual([{ payload: { connectionId: 'default', ref: { type: 'customer', id }, cause } }]);
    const audit = await selling.service.admin.get(`/admin/audit?project_id=${project.id}&customer_id=u_linked`);
    expect(audit.body.data).toMatchObject([
      { action: 'customer.linked', customer: answer.body.id, detail: { stripe_customer: id, replaces: null } },
    ]);
  });

  test('has each of its subscriptions fetched, whatever became of them', async () => {
    const id = await inStripe();
    const product = await selling.stripe.products.create({ name: 'Legacy' });
    const recurring = { interval: 'month' } as const;
    const { id: price } = await selling.stripe.prices.create({
      product: product.id,
      currency: 'eur',
      unit_amount: 0,
      recurring,
    });
    const first = await selling.stripe.subscriptions.create({ customer: id, items: [{ price }] });
    const second = await selling.stripe.subscriptions.create({ customer: id, items: [{ price }] });
    await selling.stripe.subscriptions.cancel(second.id);
    await put('u_subscribed', { stripe_customer_id: id });
    const keys = await selling.jobKeys();
    for (const object of [id, first.id, second.id]) expect(keys).toContain(`sync:default:${object}`);
  });

  test('again stamps again and records nothing twice', async () => {
    const id = await inStripe();
    const first = await put('u_again', { stripe_customer_id: id });
    await selling.stripe.customers.update(id, { metadata: { tollgate_customer: '', tollgate_project: '' } });
    const second = await put('u_again', { stripe_customer_id: id });
    expect(second.body).toEqual(first.body);
    expect(await metadataOf(id)).toMatchObject({ tollgate_customer: first.body.id, tollgate_project: project.id });
    const audit = await selling.service.admin.get(`/admin/audit?project_id=${project.id}&customer_id=u_again`);
    expect(audit.body.data).toHaveLength(1);
  });

  test('refuses one that does not exist, and writes nothing', async () => {
    const answer = await put('u_nobody', { stripe_customer_id: 'cus_missing', email: 'a@example.com' });
    expect(codeOf(answer)).toEqual([404, 'not_found']);
    expect(await rowsOf('u_nobody')).toEqual([]);
  });

  test('refuses one that is deleted', async () => {
    const id = await inStripe();
    await selling.stripe.customers.del(id);
    expect(codeOf(await put('u_deleted', { stripe_customer_id: id }))).toEqual([404, 'not_found']);
  });

  test('refuses one that another customer of the project has', async () => {
    const id = await inStripe();
    await put('u_holder', { stripe_customer_id: id });
    expect(codeOf(await put('u_thief', { stripe_customer_id: id }))).toEqual([409, 'stripe_customer_taken']);
    // The stamp is not what protects the holder alone.
    const unstamped = { tollgate_installation: '', tollgate_project: '', tollgate_customer: '' };
    await selling.stripe.customers.update(id, { metadata: unstamped });
    expect(codeOf(await put('u_thief', { stripe_customer_id: id }))).toEqual([409, 'stripe_customer_taken']);
    expect(await rowsOf('u_thief')).toEqual([]);
    expect((await get('u_holder')).body.stripe_customer_id).toBe(id);
  });

  test("refuses another project's like one that does not exist", async () => {
    const id = await inStripe();
    await put('u_theirs', { stripe_customer_id: id }, other);
    const missing = await put('u_mine', { stripe_customer_id: 'cus_missing' });
    const stamped = await put('u_mine', { stripe_customer_id: id });
    await selling.stripe.customers.update(id, { metadata: { tollgate_project: '', tollgate_customer: '' } });
    const unstamped = await put('u_mine', { stripe_customer_id: id });
    for (const answer of [stamped, unstamped]) {
      expect({ ...answer.body, request_id: '' }).toEqual({ ...missing.body, request_id: '' });
    }
    expect(await rowsOf('u_mine')).toEqual([]);
  });

  test("refuses another installation's", async () => {
    const id = await inStripe({ tollgate_installation: 'elsewhere', tollgate_project: project.id });
    expect(codeOf(await put('u_installed', { stripe_customer_id: id }))).toEqual([409, 'conflict']);
    expect((await metadataOf(id)).tollgate_installation).toBe('elsewhere');
  });

  test("takes one that was marked by hand with the app's own id", async () => {
    const id = await inStripe({ tollgate_project: project.id, tollgate_customer: 'u_by_hand' });
    expect((await put('u_by_hand', { stripe_customer_id: id })).status).toBe(200);
    const marked = await inStripe({ tollgate_customer: 'u_by_hand' });
    expect(codeOf(await put('u_not_by_hand', { stripe_customer_id: marked }))).toEqual([409, 'stripe_customer_taken']);
  });

  test('of a customer that has another one is refused while that one exists', async () => {
    const [first, second] = [await inStripe(), await inStripe()];
    await put('u_moving', { stripe_customer_id: first });
    const refused = await put('u_moving', { stripe_customer_id: second, name: 'Moved' });
    expect(codeOf(refused)).toEqual([409, 'customer_linked']);
    expect(refused.body.stripe_customer_id).toBe(first);
    expect((await get('u_moving')).body).toMatchObject({ stripe_customer_id: first, name: null });
    expect(await metadataOf(second)).toEqual({});

    await selling.stripe.customers.del(first);
    const moved = await put('u_moving', { stripe_customer_id: second });
    expect(moved.body.stripe_customer_id).toBe(second);
    expect(await rowsOf('u_moving')).toMatchObject([{ stripe_generation: 1 }]);
  });

  test('at once with two customers, or two projects, gives it to one', async () => {
    const id = await inStripe();
    const answers = await Promise.all([
      ...Array.from({ length: 5 }, (_, n) => put(`u_race_${n}`, { stripe_customer_id: id })),
      ...Array.from({ length: 5 }, (_, n) => put(`u_race_${n}`, { stripe_customer_id: id }, other)),
    ]);
    const winners = answers.filter(({ status }) => status === 200);
    expect(winners).toHaveLength(1);
    const { db } = selling.database;
    const holders = await db
      .selectFrom('tollgate.customers')
      .select('id')
      .where('stripe_customer_id', '=', id)
      .execute();
    expect(holders).toEqual([{ id: winners[0]?.body.id }]);
    expect((await metadataOf(id)).tollgate_customer).toBe(winners[0]?.body.id);
  });

  test('to several Stripe customers at once leaves the customer with one', async () => {
    const ids = await Promise.all(Array.from({ length: 5 }, () => inStripe()));
    const answers = await Promise.all(ids.map((id) => put('u_torn', { stripe_customer_id: id })));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ body }) => body.code === 'customer_linked')).toHaveLength(4);
  });

  test('without Stripe is refused, and writes nothing', async () => {
    const id = await inStripe();
    const answer = await selling.withoutStripe(() =>
      put('u_offline', { stripe_customer_id: id, email: 'a@example.com' }),
    );
    expect(codeOf(answer)).toEqual([503, 'stripe_unavailable']);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await rowsOf('u_offline')).toEqual([]);
    // What needs no Stripe works on.
    const plain = await selling.withoutStripe(() => put('u_offline', { email: 'a@example.com' }));
    expect(plain.status).toBe(200);
  });
});

describe('email and name of a linked customer', () => {
  const contactOf = async (id: string) => {
    const customer = await selling.stripe.customers.retrieve(id);
    return customer.deleted === true ? null : { email: customer.email, name: customer.name };
  };

  test('are changed in Stripe too', async () => {
    const id = await inStripe();
    await put('u_contact', { stripe_customer_id: id, name: 'Linked' });
    expect(await contactOf(id)).toEqual({ email: 'payer@example.com', name: 'Linked' });
    await put('u_contact', { email: 'new@example.com' });
    expect(await contactOf(id)).toEqual({ email: 'new@example.com', name: 'Linked' });
    const cleared = await put('u_contact', { name: null });
    expect(cleared.body).toMatchObject({ email: 'new@example.com', name: null });
    expect(await contactOf(id)).toMatchObject({ email: 'new@example.com', name: null });
  });

  test('without Stripe stay as they are', async () => {
    const id = await inStripe();
    await put('u_contact_offline', { stripe_customer_id: id, email: 'kept@example.com' });
    const answer = await selling.withoutStripe(() => put('u_contact_offline', { email: 'lost@example.com' }));
    expect(codeOf(answer)).toEqual([503, 'stripe_unavailable']);
    expect((await get('u_contact_offline')).body.email).toBe('kept@example.com');
    expect(await contactOf(id)).toMatchObject({ email: 'kept@example.com' });
    // What is said already needs nobody.
    const same = await selling.withoutStripe(() => put('u_contact_offline', { email: 'kept@example.com' }));
    expect(same.status).toBe(200);
  });

  test('are changed here when the Stripe customer was deleted', async () => {
    const id = await inStripe();
    await put('u_contact_gone', { stripe_customer_id: id });
    await selling.stripe.customers.del(id);
    const answer = await put('u_contact_gone', { email: 'still@example.com' });
    expect([answer.status, answer.body.email]).toEqual([200, 'still@example.com']);
  });
});

describe('a customer', () => {
  test('shows subscriptions, purchases and grants, newest first', async () => {
    const { id: customerId } = (await put('u_rich', {})).body;
    const start = Date.UTC(2026, 0, 31, 12, 30);
    const period = { currentPeriodStart: start, currentPeriodEnd: Date.UTC(2026, 1, 28, 12, 30) };
    const item = { id: 'si_1', priceId: 'price_1', productId: 'prod_1', quantity: 3, ...period };
    await selling.know(project.id, 'u_rich', activeSubscription({ id: 'sub_new', startedAt: start }, item));
    await selling.know(
      project.id,
      'u_rich',
      activeSubscription(
        { id: 'sub_old', status: 'canceled', startedAt: start - 1000, canceledAt: start, endedAt: start },
        { ...item, quantity: null },
      ),
    );
    await selling.know(
      project.id,
      'u_rich',
      paidPurchase(
        {
          id: 'pi_1',
          paidAt: start,
          currency: 'jpy',
          amountMinor: 500,
          refundedMinor: 200,
          refundedAt: start,
          checkoutSessionId: 'cs_1',
          dispute: { status: 'needs_response', openedAt: start, closedAt: null },
        },
        { priceId: 'price_2', productId: 'prod_2', quantity: 2 },
      ),
    );
    await selling.know(
      project.id,
      'u_rich',
      paidPurchase({ id: 'pi_2', status: 'pending', paidAt: null }, { priceId: 'price_2', productId: 'prod_2' }),
    );
    await selling.database.db
      .insertInto('tollgate.grants')
      .values({
        id: newId('grant'),
        project_id: project.id,
        customer_id: customerId,
        feature: 'seats',
        effect: 'allow',
        value: 5,
        valid_from: new Date(start),
        valid_to: null,
        reason: 'A gift',
        actor: 'ops',
        created_at: new Date(start),
        revoked_at: new Date(start + 1000),
        revoked_by: 'ops',
        revoke_reason: 'Taken back',
      })
      .execute();

    const { body } = await get('u_rich');
    expect(body.subscriptions).toEqual([
      {
        object: 'subscription',
        id: 'sub_new',
        status: 'active',
        items: [
          {
            id: 'si_1',
            price: 'price_1',
            product: 'prod_1',
            quantity: 3,
            current_period_start: '2026-01-31T12:30:00.000Z',
            current_period_end: '2026-02-28T12:30:00.000Z',
          },
        ],
        started_at: '2026-01-31T12:30:00.000Z',
        trial_start: null,
        trial_end: null,
        cancel_at: null,
        cancel_at_period_end: false,
        canceled_at: null,
        ended_at: null,
        collection_paused: false,
        past_due_since: null,
      },
      expect.objectContaining({ id: 'sub_old', status: 'canceled', ended_at: '2026-01-31T12:30:00.000Z' }),
    ]);
    expect(body.subscriptions[1].items[0].quantity).toBeNull();
    expect(body.purchases).toEqual([
      expect.objectContaining({ id: 'pi_2', status: 'pending', paid_at: null, dispute: null }),
      {
        object: 'purchase',
        id: 'pi_1',
        checkout_session_id: 'cs_1',
        status: 'paid',
        paid_at: '2026-01-31T12:30:00.000Z',
        lines: [{ price: 'price_2', product: 'prod_2', quantity: 2 }],
        total: { currency: 'jpy', amount: 500 },
        refunded: { currency: 'jpy', amount: 200 },
        refunded_at: '2026-01-31T12:30:00.000Z',
        dispute: { status: 'needs_response', opened_at: '2026-01-31T12:30:00.000Z', closed_at: null },
      },
    ]);
    expect(body.grants).toEqual([
      {
        object: 'grant',
        id: expect.stringMatching(/^grant_/),
        feature: 'seats',
        effect: 'allow',
        value: 5,
        unlimited: false,
        valid_from: '2026-01-31T12:30:00.000Z',
        valid_to: null,
        reason: 'A gift',
        actor: 'ops',
        created_at: '2026-01-31T12:30:00.000Z',
        revoked_at: '2026-01-31T12:30:01.000Z',
        revoked_by: 'ops',
        revoke_reason: 'Taken back',
      },
    ]);
  });

  test('with very many purchases shows the hundred newest', async () => {
    for (let n = 0; n < 101; n++) {
      const purchase = paidPurchase(
        { id: `pi_many_${n}`, paidAt: 1_000_000 + n },
        { priceId: 'price_1', productId: 'prod_1' },
      );
      await selling.know(project.id, 'u_many', purchase);
    }
    const { body } = await get('u_many');
    expect(body.purchases).toHaveLength(100);
    expect(body.purchases[0].id).toBe('pi_many_100');
    expect(body.truncated).toBe(true);
  });

  test('of another project looks like one that does not exist, and may have the same id', async () => {
    await put('u_shared', { name: 'Theirs' }, other);
    const [theirs, missing] = [await get('u_shared'), await get('u_missing')];
    expect(missing.status).toBe(404);
    expect({ ...theirs.body, request_id: '' }).toEqual({ ...missing.body, request_id: '' });
    const mine = await put('u_shared', { name: 'Mine' });
    const others = await get('u_shared', other);
    expect(others.body.name).toBe('Theirs');
    expect(mine.body.id).not.toBe(others.body.id);
  });
});

describe('the list of customers', () => {
  test('comes newest first, in pages, without those of others', async () => {
    const shop = await selling.createProject('listed');
    for (const customer of ['a', 'b', 'c', 'd', 'e']) await put(customer, {}, shop);
    const seen: string[] = [];
    for (let cursor = ''; ; ) {
      const { body } = await shop.secret.get(`/customers?limit=2${cursor && `&cursor=${cursor}`}`);
      expect(body.data[0]).not.toHaveProperty('subscriptions');
      seen.push(...body.data.map((customer: { customer_id: string }) => customer.customer_id));
      if (!body.has_more) break;
      cursor = body.next_cursor;
    }
    expect(seen).toEqual(['e', 'd', 'c', 'b', 'a']);
    for (const query of ['?limit=0', '?limit=101', '?limit=x', '?cursor=nonsense!', '?order=asc']) {
      expect((await shop.secret.get(`/customers${query}`)).status).toBe(400);
    }
  });
});

describe('who may', () => {
  test('a secret key needs the scopes of customers', async () => {
    const keys = `/admin/projects/${project.id}/keys`;
    const withScope = async (scope: string) =>
      selling.service.as((await selling.service.admin.post(keys, { scopes: [scope] })).body.key);
    const [reader, writer] = [await withScope('customers:read'), await withScope('customers:write')];
    expect((await reader.get('/customers')).status).toBe(200);
    expect((await reader.get('/customers/u_new')).status).toBe(200);
    expect((await reader.put('/customers/u_new', {})).status).toBe(403);
    expect((await writer.put('/customers/u_new', {})).status).toBe(200);
    expect((await writer.get('/customers/u_new')).status).toBe(403);
    for (const client of [project.publishable, await withScope('catalog:write')]) {
      expect((await client.get('/customers')).status).toBe(403);
      expect((await client.get('/customers/u_new')).status).toBe(403);
      expect((await client.put('/customers/u_new', {})).status).toBe(403);
    }
    expect((await selling.service.as(null).get('/customers')).status).toBe(401);
  });

  test('an operator names the project', async () => {
    const { admin } = selling.service;
    const made = await admin.put('/customers/u_operated', { project_id: project.id, name: 'By the operator' });
    expect(made.status).toBe(200);
    expect((await admin.get(`/customers/u_operated?project_id=${project.id}`)).body).toEqual(made.body);
    expect((await admin.get(`/customers?project_id=${project.id}&limit=1`)).body.data).toHaveLength(1);
    expect((await admin.get('/customers/u_operated')).status).toBe(400);
    expect((await admin.get(`/customers/u_operated?project_id=${other.id}`)).status).toBe(404);
    expect((await admin.put('/customers/u_operated', { project_id: 'prj_missing' })).status).toBe(404);
  });
});
