import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { about, quiet, reconcile } from '../support/reconciling.ts';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

/** No event of the sandbox arrives: whatever happens in Stripe is missed. */
let tollgate: Tollgate;
let product: string;
let price: string;

beforeAll(async () => {
  tollgate = await startTollgate({ deaf: true, callsPerSecond: null, reconcile: { pageSize: 3 } });
  await tollgate.secret.post('/features', { code: 'pro', name: 'Pro', type: 'boolean' });
  const made = await tollgate.secret.post('/products', { name: 'Plan', features: [{ code: 'pro' }] });
  product = made.body.id;
  const terms = { product, currency: 'usd', unit_amount: 1000, recurring: { interval: 'month' } };
  price = (await tollgate.secret.post('/prices', { ...terms, lookup_key: 'monthly' })).body.id;
  await quiet(tollgate);
});
afterAll(() => tollgate.close());

describe('a reconciliation of the catalog', () => {
  test('finds nothing where nothing differs, and does not count what was just made as drift', async () => {
    const run = await reconcile(tollgate);
    expect(run).toMatchObject({ status: 'completed', drifts: [], error: null });
    expect(run.counts).toMatchObject({ listed: 2, in_sync: 2, drifts: 0 });
  });

  test("reports a product's new name, its cause, and what it would do, and changes nothing when dry", async () => {
    await tollgate.stripe.products.update(product, { name: 'Plan by another name' });
    const run = await reconcile(tollgate, { dry_run: true });
    expect(run.counts).toMatchObject({ drifts: 1, would_repair: 1, repaired: 0 });
    expect(about(run, product)).toEqual([
      expect.objectContaining({
        kind: 'different',
        object_type: 'product',
        project_id: tollgate.project.id,
        customer_id: null,
        cause: 'event_not_delivered',
        action: 'would_repair',
        fields: [{ field: 'name', before: 'Plan', after: 'Plan by another name' }],
      }),
    ]);
    expect((await tollgate.secret.get(`/products/${product}`)).body.name).toBe('Plan');
  });

  test('repairs it, and a second run finds nothing', async () => {
    const run = await reconcile(tollgate);
    expect(about(run, product)).toMatchObject([{ kind: 'different', action: 'repaired' }]);
    expect((await tollgate.secret.get(`/products/${product}`)).body.name).toBe('Plan by another name');
    expect((await reconcile(tollgate)).drifts).toEqual([]);
  });

  test('repairs prices: one that was archived, renamed and given another lookup key', async () => {
    const key = `${tollgate.project.id}:monthly_2026`;
    await tollgate.stripe.prices.update(price, { active: false, nickname: 'Old', lookup_key: key });
    const run = await reconcile(tollgate, { project_id: tollgate.project.id });
    expect(about(run, price)).toMatchObject([
      {
        object_type: 'price',
        action: 'repaired',
        fields: [
          { field: 'active', before: true, after: false },
          { field: 'lookup_key', before: 'monthly', after: 'monthly_2026' },
          { field: 'nickname', before: null, after: 'Old' },
        ],
      },
    ]);
    expect((await tollgate.secret.get(`/prices/${price}`)).body).toMatchObject({
      active: false,
      lookup_key: 'monthly_2026',
    });
    expect((await reconcile(tollgate)).drifts).toEqual([]);
  });

  test('brings a product and its price that are stamped for the project and never arrived', async () => {
    const stamped = await tollgate.stripe.products.create({
      name: 'Made by hand',
      metadata: { tollgate_installation: 'tests', tollgate_project: tollgate.project.id },
    });
    const terms = { product: stamped.id, currency: 'eur', unit_amount: 700 };
    const once = await tollgate.stripe.prices.create(terms);
    const run = await reconcile(tollgate);
    expect(about(run, stamped.id)).toMatchObject([{ kind: 'missing_locally', action: 'repaired' }]);
    expect(about(run, once.id)).toMatchObject([{ kind: 'missing_locally', action: 'repaired' }]);
    expect((await tollgate.secret.get(`/prices/${once.id}`)).body.unit_amount).toBe(700);
    expect((await reconcile(tollgate)).drifts).toEqual([]);
  });

  test("leaves alone what is another installation's, and what is nobody's", async () => {
    const foreign = { tollgate_installation: 'another', tollgate_project: tollgate.project.id };
    await tollgate.stripe.products.create({ name: 'Of another installation', metadata: foreign });
    const unknown = await tollgate.stripe.products.create({ name: 'Of a shop without Tollgate' });
    await tollgate.stripe.prices.create({ product: unknown.id, currency: 'usd', unit_amount: 1 });
    const run = await reconcile(tollgate);
    expect(run.drifts).toEqual([]);
    expect(run.counts.ignored).toBe(3);
  });

  test('finds a product that Stripe has no more by asking for it, not by its absence from a list', async () => {
    const { body: doomed } = await tollgate.secret.post('/products', { name: 'Doomed' });
    await quiet(tollgate);
    await tollgate.stripe.products.del(doomed.id);
    const run = await reconcile(tollgate);
    expect(run.counts.asked).toBe(1);
    expect(about(run, doomed.id)).toMatchObject([
      { kind: 'missing_in_stripe', action: 'repaired', fields: [{ field: 'deleted', before: false, after: true }] },
    ]);
    expect((await reconcile(tollgate)).drifts).toEqual([]);
  });

  test('looks at one project alone when asked to', async () => {
    const other = await tollgate.admin.post('/admin/projects', { name: 'Other', slug: 'other' });
    const theirs = await tollgate.as(other.body.secret_key).post('/products', { name: 'Theirs' });
    await quiet(tollgate);
    await tollgate.stripe.products.update(theirs.body.id, { name: 'Theirs, renamed' });
    expect((await reconcile(tollgate, { project_id: tollgate.project.id })).drifts).toEqual([]);
    const own = await reconcile(tollgate, { project_id: other.body.id });
    expect(own.drifts).toMatchObject([{ object_id: theirs.body.id, project_id: other.body.id }]);
  });
});

describe('a reconciliation of customers', () => {
  test('copies an email that changed in Stripe, and links a Stripe customer that is stamped for one', async () => {
    const { body: project } = await tollgate.admin.post('/admin/projects', { name: 'People', slug: 'people' });
    const people = tollgate.as(project.secret_key);
    const linked = await tollgate.stripe.customers.create({ email: 'before@example.com' });
    await people.put('/customers/ada', { stripe_customer_id: linked.id });
    await quiet(tollgate);
    await reconcile(tollgate, { project_id: project.id });
    await tollgate.stripe.customers.update(linked.id, { email: 'after@example.com' });
    const metadata = {
      tollgate_installation: 'tests',
      tollgate_project: project.id,
      tollgate_customer: 'grace',
    };
    const stamped = await tollgate.stripe.customers.create({ email: 'grace@example.com', metadata });

    const run = await reconcile(tollgate, { project_id: project.id });
    expect(about(run, linked.id)).toMatchObject([
      {
        customer_id: 'ada',
        action: 'repaired',
        fields: [{ field: 'email', before: 'before@example.com', after: 'after@example.com' }],
      },
    ]);
    expect(about(run, stamped.id)).toMatchObject([{ kind: 'missing_locally', action: 'repaired' }]);
    expect((await people.get('/customers/ada')).body.email).toBe('after@example.com');
    expect((await people.get('/customers/grace')).body.stripe_customer_id).toBe(stamped.id);
    expect((await reconcile(tollgate, { project_id: project.id })).drifts).toEqual([]);
  });

  test('forgets a Stripe customer that was deleted', async () => {
    const made = await tollgate.stripe.customers.create({});
    await tollgate.secret.put('/customers/leaver', { stripe_customer_id: made.id });
    // What a linked customer has is brought in by a job.
    await quiet(tollgate);
    await tollgate.stripe.customers.del(made.id);
    const dry = await reconcile(tollgate, { project_id: tollgate.project.id, customer_id: 'leaver', dry_run: true });
    expect(dry.drifts).toMatchObject([
      { object_type: 'customer', object_id: made.id, customer_id: 'leaver', kind: 'different' },
    ]);
    const run = await reconcile(tollgate, { project_id: tollgate.project.id, customer_id: 'leaver' });
    expect(run.drifts).toMatchObject([{ object_id: made.id, action: 'repaired' }]);
    expect((await tollgate.secret.get('/customers/leaver')).body.stripe_customer_id).toBeNull();
  });
});
