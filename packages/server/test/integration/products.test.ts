import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Selling, type SellingProject, startSelling } from '../support/selling.ts';

let selling: Selling;
let project: SellingProject;
let other: SellingProject;

beforeAll(async () => {
  selling = await startSelling();
  project = await selling.createProject('one');
  other = await selling.createProject('two');
  await project.secret.post('/features', { code: 'export', name: 'Export', type: 'boolean' });
  await project.secret.post('/features', { code: 'seats', name: 'Seats', type: 'limit' });
});
afterAll(() => selling.close());

const productsInStripe = async () => (await selling.stripe.products.list({ limit: 100 })).data;
const productsHere = () => selling.database.db.selectFrom('tollgate.products').select('id').execute();

describe('creating a product', () => {
  test("makes it in Stripe, stamped, and keeps Stripe's id", async () => {
    const made = await project.secret.post('/products', { name: 'Pro', description: 'For professionals' });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      object: 'product',
      id: expect.stringMatching(/^prod_/),
      name: 'Pro',
      description: 'For professionals',
      active: true,
      features: [],
    });
    const inStripe = await selling.stripe.products.retrieve(made.body.id);
    expect(inStripe).toMatchObject({
      name: 'Pro',
      description: 'For professionals',
      metadata: { tollgate_installation: 'test-installation', tollgate_project: project.id },
    });
    expect((await project.secret.get(`/products/${made.body.id}`)).body).toEqual(made.body);
    const audit = await selling.service.admin.get(`/admin/audit?project_id=${project.id}&action=product.created`);
    expect(audit.body.data[0].detail).toEqual({ product: made.body.id, features: [] });
  });

  test('takes what it unlocks along', async () => {
    const features = [{ code: 'seats', value: 3, per_unit: true }, { code: 'export' }];
    const { body } = await project.secret.post('/products', { name: 'Team', features });
    expect(body.features).toEqual([
      { code: 'export', value: null, unlimited: false, per_unit: false, access_days: null },
      { code: 'seats', value: 3, unlimited: false, per_unit: true, access_days: null },
    ]);
    expect((await project.secret.get(`/products/${body.id}`)).body.features).toEqual(body.features);
  });

  test.each([
    [{}, 'name'],
    [{ name: '' }, 'name'],
    [{ name: '  ' }, 'name'],
    [{ name: 'x'.repeat(251) }, 'name'],
    [{ name: 5 }, 'name'],
    [{ name: 'n', description: 5 }, 'description'],
    [{ name: 'n', colour: 'red' }, 'colour'],
    [{ name: 'n', id: 'prod_mine' }, 'id'],
    [{ name: 'n', features: [{ code: 'nothing' }] }, 'features.0.code'],
    [{ name: 'n', features: [{ code: 'seats' }] }, 'features.0.value'],
    [{ name: 'n', features: [{ code: 'seats', value: -1 }] }, 'features.0.value'],
    [{ name: 'n', features: [{ code: 'seats', value: 1.5 }] }, 'features.0.value'],
    [{ name: 'n', features: [{ code: 'export', value: 1 }] }, 'features.0.value'],
    [{ name: 'n', features: [{ code: 'export', access_days: 0 }] }, 'features.0.access_days'],
    [{ name: 'n', features: [{ code: 'export', days: 3 }] }, 'features.0.days'],
    [{ name: 'n', features: [{ code: 'export' }, { code: 'export' }] }, 'features.1.code'],
  ])('refuses %j, names %s, and asks nothing of Stripe', async (body, path) => {
    const before = (await productsInStripe()).length;
    const answer = await project.secret.post('/products', body);
    expect(answer.status).toBe(400);
    expect(answer.body.code).toBe('invalid_request');
    expect(answer.body.errors).toContainEqual(expect.objectContaining({ path }));
    expect(await productsInStripe()).toHaveLength(before);
  });

  test('that is repeated answers with the first one', async () => {
    const headers = { 'idempotency-key': 'product-1' };
    const first = await project.secret.post('/products', { name: 'Once' }, headers);
    const second = await project.secret.post('/products', { name: 'Once' }, headers);
    expect(second.body).toEqual(first.body);
    expect((await productsInStripe()).filter(({ name }) => name === 'Once')).toHaveLength(1);
    const reused = await project.secret.post('/products', { name: 'Twice' }, headers);
    expect(reused.body.code).toBe('idempotency_key_reused');
  });

  test('that failed half-way is finished by its repeat, with one product in Stripe', async () => {
    const headers = { 'idempotency-key': 'product-2' };
    const first = await project.secret.post('/products', { name: 'Halfway' }, headers);
    // As after a crash between Stripe's answer and our commit.
    await selling.database.db.deleteFrom('tollgate.products').where('id', '=', first.body.id).execute();
    await selling.database.db
      .deleteFrom('tollgate.idempotency_keys')
      .where('idempotency_key', '=', 'product-2')
      .execute();
    const second = await project.secret.post('/products', { name: 'Halfway' }, headers);
    expect(second.status).toBe(201);
    expect(second.body.id).toBe(first.body.id);
    expect((await productsInStripe()).filter(({ name }) => name === 'Halfway')).toHaveLength(1);
  });

  test('without Stripe is refused, and writes nothing', async () => {
    const before = await productsHere();
    const answer = await selling.withoutStripe(() => project.secret.post('/products', { name: 'Never' }));
    expect(answer.status).toBe(503);
    expect(answer.body.code).toBe('stripe_unavailable');
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await productsHere()).toEqual(before);
    const audit = await selling.service.admin.get(`/admin/audit?project_id=${project.id}&action=product.created`);
    expect(JSON.stringify(audit.body)).not.toContain('Never');
  });
});

describe('updating a product', () => {
  test('changes it in Stripe and here', async () => {
    const { body } = await project.secret.post('/products', { name: 'Old', description: 'Said' });
    const changed = await project.secret.patch(`/products/${body.id}`, { name: 'New', description: null });
    expect(changed.status).toBe(200);
    expect(changed.body).toMatchObject({ id: body.id, name: 'New', description: null, active: true });
    expect(await selling.stripe.products.retrieve(body.id)).toMatchObject({ name: 'New', description: null });
    expect(await selling.jobKeys()).toContain(`sync:default:${body.id}`);
  });

  test('archives it', async () => {
    const { body } = await project.secret.post('/products', { name: 'Archived' });
    expect((await project.secret.patch(`/products/${body.id}`, { active: false })).body.active).toBe(false);
    expect((await selling.stripe.products.retrieve(body.id)).active).toBe(false);
    const ids = async (query: string) =>
      (await project.secret.get(`/products?limit=100${query}`)).body.data.map(({ id }: { id: string }) => id);
    expect(await ids('&active=true')).not.toContain(body.id);
    expect(await ids('&active=false')).toEqual([body.id]);
    expect(await ids('')).toContain(body.id);
  });

  test('that says nothing changes nothing', async () => {
    const { body } = await project.secret.post('/products', { name: 'Same' });
    expect((await project.secret.patch(`/products/${body.id}`, {})).body).toEqual(body);
  });

  test('replaces what it unlocks, as PUT does', async () => {
    const { body } = await project.secret.post('/products', { name: 'Plain', features: [{ code: 'export' }] });
    const features = [{ code: 'seats', value: 3 }];
    const changed = await project.secret.patch(`/products/${body.id}`, { name: 'Rich', features });
    expect(changed.body).toMatchObject({ name: 'Rich', features });
    expect(changed.body.features).toHaveLength(1);
    expect((await project.secret.get(`/products/${body.id}`)).body).toEqual(changed.body);
    const audit = await selling.service.admin.get(`/admin/audit?project_id=${project.id}&action=mappings.replaced`);
    expect(audit.body.data[0].detail.after).toMatchObject(features);
    expect((await project.secret.patch(`/products/${body.id}`, { name: 'Kept' })).body.features).toHaveLength(1);
    expect((await project.secret.patch(`/products/${body.id}`, { features: [] })).body.features).toEqual([]);
  });

  test.each([
    [{ name: '' }],
    [{ active: 'no' }],
    [{ name: null }],
    [{ name: 'Changed', features: [{ code: 'unknown' }] }],
  ])('refuses %j', async (patch) => {
    const { body } = await project.secret.post('/products', { name: 'Kept' });
    expect((await project.secret.patch(`/products/${body.id}`, patch)).status).toBe(400);
    expect((await project.secret.get(`/products/${body.id}`)).body).toEqual(body);
  });

  test('without Stripe is refused, and changes nothing', async () => {
    const { body } = await project.secret.post('/products', { name: 'Steady' });
    const patch = { name: 'Shaken', features: [{ code: 'export' }] };
    const answer = await selling.withoutStripe(() => project.secret.patch(`/products/${body.id}`, patch));
    expect(answer.body.code).toBe('stripe_unavailable');
    expect((await project.secret.get(`/products/${body.id}`)).body).toEqual(body);
  });
});

describe('importing a product', () => {
  async function inStripe(metadata: Record<string, string> = {}) {
    const product = await selling.stripe.products.create({ name: 'Legacy', metadata });
    const monthly = await selling.stripe.prices.create({
      product: product.id,
      currency: 'eur',
      unit_amount: 900,
      recurring: { interval: 'month' },
      lookup_key: `legacy_${product.id}`,
    });
    const archived = await selling.stripe.prices.create({ product: product.id, currency: 'eur', unit_amount: 5000 });
    await selling.stripe.prices.update(archived.id, { active: false });
    return { product, monthly, archived };
  }
  const importing = (id: string, by = project) => by.secret.post('/products/import', { stripe_product_id: id });

  test('adopts it with every price, archived ones too, and stamps it', async () => {
    const { product, monthly, archived } = await inStripe({ keep: 'me' });
    const answer = await importing(product.id);
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({ object: 'product', id: product.id, name: 'Legacy', features: [] });
    const prices = (await project.secret.get(`/prices?product=${product.id}`)).body.data;
    expect(prices).toHaveLength(2);
    expect(prices).toContainEqual(
      expect.objectContaining({ id: monthly.id, unit_amount: 900, lookup_key: `legacy_${product.id}`, active: true }),
    );
    expect(prices).toContainEqual(expect.objectContaining({ id: archived.id, active: false, recurring: null }));
    expect((await selling.stripe.products.retrieve(product.id)).metadata).toEqual({
      keep: 'me',
      tollgate_installation: 'test-installation',
      tollgate_project: project.id,
    });
    const keys = await selling.jobKeys();
    for (const id of [product.id, monthly.id, archived.id]) expect(keys).toContain(`wake:default:${id}`);
  });

  test('again brings the copy up to date and leaves its mappings', async () => {
    const { product } = await inStripe();
    await importing(product.id);
    await project.secret.put(`/products/${product.id}/features`, { features: [{ code: 'export' }] });
    await selling.stripe.products.update(product.id, { name: 'Renamed' });
    await selling.stripe.prices.create({ product: product.id, currency: 'usd', unit_amount: 100 });
    const again = await importing(product.id);
    expect(again.body).toMatchObject({ name: 'Renamed', features: [{ code: 'export' }] });
    expect((await project.secret.get(`/prices?product=${product.id}`)).body.data).toHaveLength(3);
  });

  test('reads more prices than one page of Stripe holds', async () => {
    const product = await selling.stripe.products.create({ name: 'Many' });
    for (let n = 0; n < 105; n++) {
      await selling.stripe.prices.create({ product: product.id, currency: 'eur', unit_amount: n });
    }
    await importing(product.id);
    const { count } = await selling.database.db
      .selectFrom('tollgate.prices')
      .select((select) => select.fn.countAll<number>().as('count'))
      .where('product_id', '=', product.id)
      .executeTakeFirstOrThrow();
    expect(count).toBe(105);
  });

  test("of another project's product looks like that of one that does not exist", async () => {
    const { product } = await inStripe();
    expect((await importing(product.id)).status).toBe(201);
    const [theirs, missing] = [await importing(product.id, other), await importing('prod_missing', other)];
    expect(missing.status).toBe(404);
    expect({ ...theirs.body, request_id: '' }).toEqual({ ...missing.body, request_id: '' });
    expect((await other.secret.get(`/products/${product.id}`)).status).toBe(404);
    expect((await selling.stripe.products.retrieve(product.id)).metadata.tollgate_project).toBe(project.id);
  });

  test("of another installation's product is refused", async () => {
    const { product } = await inStripe({ tollgate_installation: 'elsewhere', tollgate_project: project.id });
    const answer = await importing(product.id);
    expect([answer.status, answer.body.code]).toEqual([409, 'conflict']);
    expect((await project.secret.get(`/products/${product.id}`)).status).toBe(404);
  });

  test('by two projects at once lets one have it', async () => {
    const { product } = await inStripe();
    const answers = await Promise.all([importing(product.id), importing(product.id, other)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 404]);
    const owner = answers[0].status === 201 ? project : other;
    expect((await selling.stripe.products.retrieve(product.id)).metadata.tollgate_project).toBe(owner.id);
  });

  test('of a deleted product finds nothing', async () => {
    const product = await selling.stripe.products.create({ name: 'Deleted' });
    await selling.stripe.products.del(product.id);
    expect((await importing(product.id)).status).toBe(404);
  });

  test('without Stripe is refused, and writes nothing', async () => {
    const { product } = await inStripe();
    expect((await selling.withoutStripe(() => importing(product.id))).body.code).toBe('stripe_unavailable');
    expect((await project.secret.get(`/products/${product.id}`)).status).toBe(404);
  });

  test.each([[{}], [{ stripe_product_id: '' }], [{ stripe_product_id: 'a/b' }], [{ product: 'prod_1' }]])(
    'refuses %j',
    async (body) => {
      expect((await project.secret.post('/products/import', body)).status).toBe(400);
    },
  );
});

describe('products', () => {
  test('of another project look like those that do not exist', async () => {
    const theirs = (await other.secret.post('/products', { name: 'Theirs' })).body.id;
    for (const send of [
      (id: string) => project.secret.get(`/products/${id}`),
      (id: string) => project.secret.patch(`/products/${id}`, { name: 'Mine' }),
      (id: string) => project.secret.put(`/products/${id}/features`, { features: [] }),
      (id: string) => project.secret.put(`/products/${id}/features?dry_run=true`, { features: [] }),
    ]) {
      const [missing, found] = [await send('prod_missing'), await send(theirs)];
      expect(missing.status).toBe(404);
      expect({ ...found.body, request_id: '' }).toEqual({ ...missing.body, request_id: '' });
    }
    expect((await selling.stripe.products.retrieve(theirs)).name).toBe('Theirs');
    const listed = (await project.secret.get('/products?limit=100')).body.data;
    expect(listed.map(({ id }: { id: string }) => id)).not.toContain(theirs);
  });

  test('come in pages', async () => {
    const ids: string[] = [];
    for (let cursor = ''; ; ) {
      const { body } = await project.secret.get(`/products?limit=3${cursor && `&cursor=${cursor}`}`);
      ids.push(...body.data.map(({ id }: { id: string }) => id));
      if (!body.has_more) break;
      cursor = body.next_cursor;
    }
    const rows = await selling.database.db
      .selectFrom('tollgate.products')
      .select('id')
      .where('project_id', '=', project.id)
      .execute();
    expect(ids.toSorted()).toEqual(rows.map(({ id }) => id).toSorted());
  });

  test('may be read with a publishable key, and changed with a secret key of the scope only', async () => {
    const { body } = await project.secret.post('/products', { name: 'Shown' });
    expect((await project.publishable.get('/products')).status).toBe(200);
    expect((await project.publishable.get(`/products/${body.id}`)).body).toEqual(body);
    const keys = `/admin/projects/${project.id}/keys`;
    const reader = selling.service.as(
      (await selling.service.admin.post(keys, { scopes: ['catalog:read', 'customers:write'] })).body.key,
    );
    expect((await reader.get(`/products/${body.id}`)).status).toBe(200);
    for (const client of [project.publishable, reader]) {
      for (const answer of [
        await client.post('/products', { name: 'x' }),
        await client.post('/products/import', { stripe_product_id: 'prod_x' }),
        await client.patch(`/products/${body.id}`, { name: 'x' }),
        await client.put(`/products/${body.id}/features`, { features: [] }),
        await client.put(`/products/${body.id}/features?dry_run=true`, { features: [] }),
      ]) {
        expect(answer.status).toBe(403);
      }
    }
    expect((await selling.service.as(null).get('/products')).status).toBe(401);
  });

  test('are for an operator to reach by naming the project', async () => {
    const { admin } = selling.service;
    const made = await admin.post('/products', { project_id: project.id, name: 'By the operator' });
    expect(made.status).toBe(201);
    expect((await admin.get(`/products/${made.body.id}?project_id=${project.id}`)).status).toBe(200);
    expect((await admin.get(`/products/${made.body.id}?project_id=${other.id}`)).status).toBe(404);
    expect((await admin.post('/products', { name: 'Nowhere' })).status).toBe(400);
    expect((await project.secret.get(`/products?project_id=${other.id}`)).status).toBe(400);
  });
});
