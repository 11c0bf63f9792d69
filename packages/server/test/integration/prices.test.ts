import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Selling, type SellingProject, startSelling } from '../support/selling.ts';

let selling: Selling;
let project: SellingProject;
let other: SellingProject;
let product: string;
let theirProduct: string;

beforeAll(async () => {
  selling = await startSelling();
  project = await selling.createProject('one');
  other = await selling.createProject('two');
  await project.secret.post('/features', { code: 'export', name: 'Export', type: 'boolean' });
  product = (await project.secret.post('/products', { name: 'Pro' })).body.id;
  theirProduct = (await other.secret.post('/products', { name: 'Theirs' })).body.id;
});
afterAll(() => selling.close());

const monthly = { interval: 'month' };
const plain = () => ({ product, currency: 'eur', unit_amount: 900 });
async function create(body: object = {}, by = project) {
  return await by.secret.post('/prices', { ...plain(), ...body });
}
async function pricesInStripe(of = product) {
  return (await selling.stripe.prices.list({ product: of, limit: 100 })).data;
}
const codeOf = ({ status, body }: { status: number; body: { code: string } }) => [status, body.code];

describe('creating a price', () => {
  test("makes it in Stripe, stamped and with its key prefixed, and keeps Stripe's id", async () => {
    const made = await create({
      recurring: { interval: 'month', interval_count: 3 },
      nickname: 'Quarterly',
      lookup_key: 'pro_quarterly',
      features: [{ code: 'export' }],
    });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      object: 'price',
      id: expect.stringMatching(/^price_/),
      product,
      currency: 'eur',
      unit_amount: 900,
      recurring: { interval: 'month', interval_count: 3, usage_type: 'licensed' },
      nickname: 'Quarterly',
      lookup_key: 'pro_quarterly',
      active: true,
      features: [{ code: 'export', value: null, unlimited: false, per_unit: false, access_days: null }],
    });
    expect(await selling.stripe.prices.retrieve(made.body.id)).toMatchObject({
      product,
      unit_amount: 900,
      recurring: { interval: 'month', interval_count: 3 },
      nickname: 'Quarterly',
      lookup_key: `${project.id}:pro_quarterly`,
      metadata: { tollgate_installation: 'test-installation', tollgate_project: project.id },
    });
    expect((await project.secret.get(`/prices/${made.body.id}`)).body).toEqual(made.body);
    expect((await project.secret.get('/prices?lookup_key=pro_quarterly')).body.data).toEqual([made.body]);
  });

  test('paid once gives access for some days', async () => {
    const made = await create({ features: [{ code: 'export', access_days: 30 }] });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({ recurring: null, features: [{ code: 'export', access_days: 30 }] });
  });

  test.each([
    ['jpy', 500],
    ['kwd', 1250],
    ['usd', 0],
    ['clp', 99_999_999],
  ])('takes %s in minor units: %i', async (currency, unit_amount) => {
    const made = await create({ currency, unit_amount });
    expect(made.body).toMatchObject({ currency, unit_amount });
    expect(await selling.stripe.prices.retrieve(made.body.id)).toMatchObject({ currency, unit_amount });
  });

  test.each([
    ['day', 1095],
    ['week', 156],
    ['month', 36],
    ['year', 3],
  ])('is billed every %s at most %i times over', async (interval, longest) => {
    expect((await create({ recurring: { interval, interval_count: longest } })).status).toBe(201);
    const tooLong = await create({ recurring: { interval, interval_count: longest + 1 } });
    expect(codeOf(tooLong)).toEqual([400, 'invalid_request']);
    expect(tooLong.body.errors[0].path).toBe('recurring.interval_count');
  });

  test.each([
    [{ product: undefined }, 'product'],
    [{ product: '' }, 'product'],
    [{ currency: 'EUR' }, 'currency'],
    [{ currency: 'euro' }, 'currency'],
    [{ currency: undefined }, 'currency'],
    [{ unit_amount: -1 }, 'unit_amount'],
    [{ unit_amount: 9.5 }, 'unit_amount'],
    [{ unit_amount: '900' }, 'unit_amount'],
    [{ unit_amount: 1e13 }, 'unit_amount'],
    [{ unit_amount: undefined }, 'unit_amount'],
    [{ recurring: { interval: 'fortnight' } }, 'recurring.interval'],
    [{ recurring: {} }, 'recurring.interval'],
    [{ recurring: { interval: 'month', interval_count: 0 } }, 'recurring.interval_count'],
    [{ recurring: { interval: 'month', usage_type: 'metered' } }, 'recurring.usage_type'],
    [{ lookup_key: '' }, 'lookup_key'],
    [{ lookup_key: 'x'.repeat(161) }, 'lookup_key'],
    [{ nickname: '' }, 'nickname'],
    [{ active: false }, 'active'],
    [{ features: [{ code: 'nothing' }] }, 'features.0.code'],
    [{ recurring: monthly, features: [{ code: 'export', access_days: 3 }] }, 'features.0.access_days'],
  ])('refuses %j, names %s, and asks nothing of Stripe', async (body, path) => {
    const before = (await pricesInStripe()).length;
    const answer = await create(body);
    expect(codeOf(answer)).toEqual([400, 'invalid_request']);
    expect(answer.body.errors).toContainEqual(expect.objectContaining({ path }));
    expect(await pricesInStripe()).toHaveLength(before);
  });

  test("of another project's product looks like that of one that does not exist", async () => {
    const [theirs, missing] = [await create({ product: theirProduct }), await create({ product: 'prod_missing' })];
    expect(missing.status).toBe(404);
    expect({ ...theirs.body, request_id: '' }).toEqual({ ...missing.body, request_id: '' });
    expect(await pricesInStripe(theirProduct)).toEqual([]);
  });

  test('that is repeated makes one price in Stripe, even after the first failed half-way', async () => {
    const headers = { 'idempotency-key': 'price-1' };
    const body = { ...plain(), nickname: 'Repeated', lookup_key: 'repeated' };
    const first = await project.secret.post('/prices', body, headers);
    const { db } = selling.database;
    await db.deleteFrom('tollgate.prices').where('id', '=', first.body.id).execute();
    await db.deleteFrom('tollgate.idempotency_keys').where('idempotency_key', '=', 'price-1').execute();
    const second = await project.secret.post('/prices', body, headers);
    expect([second.status, second.body.id]).toEqual([201, first.body.id]);
    const third = await project.secret.post('/prices', body, headers);
    expect(third.body).toEqual(second.body);
    expect((await pricesInStripe()).filter(({ nickname }) => nickname === 'Repeated')).toHaveLength(1);
  });

  test('that failed half-way is finished by its repeat though the webhook made the price known', async () => {
    const headers = { 'idempotency-key': 'price-2' };
    const body = { ...plain(), lookup_key: 'known_by_webhook', features: [{ code: 'export' }] };
    const first = await project.secret.post('/prices', body, headers);
    const { db } = selling.database;
    await db.deleteFrom('tollgate.mappings').where('owner_id', '=', first.body.id).execute();
    await db.deleteFrom('tollgate.idempotency_keys').where('idempotency_key', '=', 'price-2').execute();
    const second = await project.secret.post('/prices', body, headers);
    expect(second.status).toBe(201);
    expect(second.body).toMatchObject({ id: first.body.id, features: [{ code: 'export' }] });
  });

  test('that Stripe carried out without being able to say so is made once', async () => {
    const control = selling.sandbox.control;
    control.failRequests({ method: 'POST', path: '/v1/prices', times: 2, outcome: 'lost' });
    const headers = { 'idempotency-key': 'price-3' };
    const body = { ...plain(), nickname: 'Lost and found' };
    const first = await project.secret.post('/prices', body, headers);
    expect(codeOf(first)).toEqual([503, 'stripe_unavailable']);
    const second = await project.secret.post('/prices', body, headers);
    expect(second.status).toBe(201);
    expect((await pricesInStripe()).filter(({ nickname }) => nickname === 'Lost and found')).toHaveLength(1);
  });

  test('without Stripe is refused, and writes nothing', async () => {
    const count = async () => (await selling.database.db.selectFrom('tollgate.prices').select('id').execute()).length;
    const before = await count();
    const answer = await selling.withoutStripe(() => create({ lookup_key: 'never', features: [{ code: 'export' }] }));
    expect(codeOf(answer)).toEqual([503, 'stripe_unavailable']);
    expect(await count()).toBe(before);
    expect((await create({ lookup_key: 'never' })).status).toBe(201);
  });

  test('that Stripe refuses tells what Stripe says', async () => {
    const gone = (await project.secret.post('/products', { name: 'Gone' })).body.id;
    await selling.stripe.products.del(gone);
    const answer = await create({ product: gone });
    expect(codeOf(answer)).toEqual([400, 'stripe_refused']);
    expect(answer.body.detail).toContain(gone);
  });
});

describe('a lookup key', () => {
  test('is unique in its project', async () => {
    const first = await create({ lookup_key: 'unique' });
    const second = await create({ lookup_key: 'unique' });
    expect(codeOf(second)).toEqual([409, 'lookup_key_taken']);
    expect(second.body).toMatchObject({ price: first.body.id, errors: [{ path: 'lookup_key' }] });
  });

  test('that an imported price has is taken too', async () => {
    const { id } = await selling.stripe.products.create({ name: 'Imported' });
    const key = `imported_${id}`;
    const price = await selling.stripe.prices.create({ product: id, currency: 'eur', unit_amount: 1, lookup_key: key });
    await project.secret.post('/products/import', { stripe_product_id: id });
    const answer = await create({ lookup_key: key });
    expect(codeOf(answer)).toEqual([409, 'lookup_key_taken']);
    expect(answer.body.price).toBe(price.id);
    expect((await project.secret.get(`/prices/${price.id}`)).body.lookup_key).toBe(key);
  });

  test('may be the same in two projects', async () => {
    expect((await create({ lookup_key: 'shared' })).status).toBe(201);
    expect((await create({ product: theirProduct, lookup_key: 'shared' }, other)).status).toBe(201);
    const { data } = (await other.secret.get('/prices?lookup_key=shared')).body;
    expect(data.map(({ product }: { product: string }) => product)).toEqual([theirProduct]);
  });

  test('that twenty want together goes to one', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => create({ lookup_key: 'contended' })));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ body }) => body.code === 'lookup_key_taken')).toHaveLength(19);
    const holders = (await pricesInStripe()).filter(({ lookup_key }) => lookup_key === `${project.id}:contended`);
    expect(holders).toHaveLength(1);
    expect((await project.secret.get('/prices?lookup_key=contended')).body.data).toHaveLength(1);
  });

  test('is given, changed and taken away', async () => {
    const { id } = (await create()).body;
    expect((await project.secret.patch(`/prices/${id}`, { lookup_key: 'given' })).body.lookup_key).toBe('given');
    expect((await selling.stripe.prices.retrieve(id)).lookup_key).toBe(`${project.id}:given`);
    expect((await project.secret.patch(`/prices/${id}`, { lookup_key: null })).body.lookup_key).toBeNull();
    expect((await selling.stripe.prices.retrieve(id)).lookup_key).toBeNull();
    expect((await create({ lookup_key: 'given' })).status).toBe(201);
  });

  test('of a price on sale stays where it is', async () => {
    await create({ lookup_key: 'on_sale' });
    const { id } = (await create()).body;
    const answer = await project.secret.patch(`/prices/${id}`, { lookup_key: 'on_sale' });
    expect(codeOf(answer)).toEqual([409, 'lookup_key_taken']);
  });

  test('of an archived price moves over to the price that takes its place', async () => {
    const old = (await create({ lookup_key: 'succeeding' })).body;
    await project.secret.patch(`/prices/${old.id}`, { active: false });
    const next = (await create()).body;
    const moved = await project.secret.patch(`/prices/${next.id}`, { lookup_key: 'succeeding' });
    expect(moved.body.lookup_key).toBe('succeeding');
    expect((await project.secret.get(`/prices/${old.id}`)).body.lookup_key).toBeNull();
    expect((await selling.stripe.prices.retrieve(old.id)).lookup_key).toBeNull();
    const { data } = (await project.secret.get('/prices?lookup_key=succeeding')).body;
    expect(data.map(({ id }: { id: string }) => id)).toEqual([next.id]);
  });
});

describe('updating a price', () => {
  test('changes it in Stripe and here', async () => {
    const { id } = (await create({ nickname: 'Old' })).body;
    const changed = await project.secret.patch(`/prices/${id}`, { active: false, nickname: 'New' });
    expect(changed.body).toMatchObject({ id, active: false, nickname: 'New' });
    expect(await selling.stripe.prices.retrieve(id)).toMatchObject({ active: false, nickname: 'New' });
    expect((await project.secret.patch(`/prices/${id}`, { nickname: null })).body.nickname).toBeNull();
    expect((await selling.stripe.prices.retrieve(id)).nickname).toBeNull();
    const audit = await selling.service.admin.get(`/admin/audit?project_id=${project.id}&action=price.updated`);
    expect(audit.body.data[1].detail).toEqual({ price: id, changes: { active: false, nickname: 'New' } });
  });

  test.each([
    [{ unit_amount: 1 }],
    [{ currency: 'usd' }],
    [{ recurring: monthly }],
    [{ product: 'prod_x' }],
    [{ active: null }],
    [{ lookup_key: '' }],
  ])('refuses %j', async (patch) => {
    const { body } = await create();
    expect(codeOf(await project.secret.patch(`/prices/${body.id}`, patch))).toEqual([400, 'invalid_request']);
    expect((await project.secret.get(`/prices/${body.id}`)).body).toEqual(body);
  });

  test('without Stripe is refused, and changes nothing', async () => {
    const { body } = await create();
    const answer = await selling.withoutStripe(() => project.secret.patch(`/prices/${body.id}`, { active: false }));
    expect(codeOf(answer)).toEqual([503, 'stripe_unavailable']);
    expect((await project.secret.get(`/prices/${body.id}`)).body).toEqual(body);
  });
});

describe('prices', () => {
  test('of another project look like those that do not exist', async () => {
    const theirs = (await create({ product: theirProduct }, other)).body.id;
    for (const send of [
      (id: string) => project.secret.get(`/prices/${id}`),
      (id: string) => project.secret.patch(`/prices/${id}`, { active: false }),
      (id: string) => project.secret.put(`/prices/${id}/features`, { features: [] }),
      (id: string) => project.secret.put(`/prices/${id}/features?dry_run=true`, { features: [] }),
    ]) {
      const [missing, found] = [await send('price_missing'), await send(theirs)];
      expect(missing.status).toBe(404);
      expect({ ...found.body, request_id: '' }).toEqual({ ...missing.body, request_id: '' });
    }
    expect((await selling.stripe.prices.retrieve(theirs)).active).toBe(true);
    expect((await project.secret.get(`/prices?product=${theirProduct}`)).body.data).toEqual([]);
  });

  test('come in pages, by product and by whether they are on sale', async () => {
    const own = (await project.secret.post('/products', { name: 'Paged' })).body.id;
    const made: string[] = [];
    for (let n = 0; n < 5; n++) made.push((await create({ product: own, unit_amount: n })).body.id);
    await project.secret.patch(`/prices/${made[0]}`, { active: false });
    const read = async (query: string) => {
      const ids: string[] = [];
      for (let cursor = ''; ; ) {
        const page = await project.secret.get(`/prices?product=${own}&limit=2${query}${cursor && `&cursor=${cursor}`}`);
        ids.push(...page.body.data.map(({ id }: { id: string }) => id));
        if (!page.body.has_more) return ids;
        cursor = page.body.next_cursor;
      }
    };
    expect(await read('')).toEqual(made.toSorted());
    expect(await read('&active=true')).toEqual(made.slice(1).toSorted());
    expect(await read('&active=false')).toEqual(made.slice(0, 1));
    expect((await project.secret.get('/prices?active=maybe')).status).toBe(400);
    expect((await project.secret.get('/prices?cursor=nonsense')).status).toBe(400);
  });

  test('may be read with a publishable key, and changed with a secret key of the scope only', async () => {
    const { body } = await create();
    expect((await project.publishable.get(`/prices/${body.id}`)).body).toEqual(body);
    expect((await project.publishable.get('/prices')).status).toBe(200);
    expect((await project.publishable.post('/prices', plain())).status).toBe(403);
    expect((await project.publishable.patch(`/prices/${body.id}`, { active: false })).status).toBe(403);
    expect((await project.publishable.put(`/prices/${body.id}/features`, { features: [] })).status).toBe(403);
    expect((await selling.service.as(null).get('/prices')).status).toBe(401);
    const { admin } = selling.service;
    expect((await admin.get(`/prices/${body.id}?project_id=${project.id}`)).body).toEqual(body);
    expect((await admin.get(`/prices/${body.id}`)).status).toBe(400);
  });
});
