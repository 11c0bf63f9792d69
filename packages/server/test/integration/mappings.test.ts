import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listen } from '../../src/platform/notify.ts';
import { activeSubscription, paidPurchase } from '../support/facts.ts';
import { type Selling, type SellingProject, startSelling } from '../support/selling.ts';
import { until } from '../support/until.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

let selling: Selling;
let other: SellingProject;
let projects = 0;

beforeAll(async () => {
  selling = await startSelling();
  other = await selling.createProject('other');
});
afterAll(() => selling.close());

/** A project that sells one product at a recurring and at a one-off price, with three features. */
async function createShop() {
  const project = await selling.createProject(`shop-${++projects}`);
  const { secret } = project;
  await secret.post('/features', { code: 'export', name: 'Export', type: 'boolean' });
  await secret.post('/features', { code: 'support', name: 'Support', type: 'boolean' });
  await secret.post('/features', { code: 'seats', name: 'Seats', type: 'limit' });
  const product = (await secret.post('/products', { name: 'Pro' })).body.id as string;
  const price = async (body: object) =>
    (await secret.post('/prices', { product, currency: 'eur', unit_amount: 900, ...body })).body.id as string;
  const monthly = await price({ recurring: { interval: 'month' } });
  const once = await price({});
  return {
    ...project,
    product,
    monthly,
    once,
    put: (path: string, features: object[], query = '') => secret.put(`${path}/features${query}`, { features }),
    subscribe: (customer: string, quantity = 1, priceId = monthly) =>
      selling.know(
        project.id,
        customer,
        activeSubscription({ id: `sub_${project.id}_${customer}` }, { priceId, productId: product, quantity }),
      ),
    buy: (customer: string) =>
      selling.know(
        project.id,
        customer,
        paidPurchase({ id: `pi_${project.id}_${customer}` }, { priceId: once, productId: product }),
      ),
    /** The customer's features and their amounts, as last computed. */
    has: async (customer: string): Promise<Record<string, number | null>> => {
      const row = await selling.database.db
        .selectFrom('tollgate.snapshots')
        .select('body')
        .where('project_id', '=', project.id)
        .where('external_id', '=', customer)
        .executeTakeFirst();
      const features = Object.values(row?.body.features ?? {});
      return Object.fromEntries(features.map(({ feature, sources }) => [feature, sources[0]?.value ?? null]));
    },
    catalogVersion: async () => {
      const query = selling.database.db.selectFrom('tollgate.projects').select('catalog_version');
      return (await query.where('id', '=', project.id).executeTakeFirstOrThrow()).catalog_version;
    },
  };
}

/** Every row that a change of mappings could touch. */
async function everything() {
  const { db } = selling.database;
  const tables = [
    'tollgate.projects',
    'tollgate.mappings',
    'tollgate.recomputations',
    'tollgate.snapshots',
    'tollgate.snapshot_versions',
    'tollgate.facts',
    'tollgate.audit_entries',
  ] as const;
  return JSON.stringify(await Promise.all(tables.map((table) => db.selectFrom(table).selectAll().execute())));
}

describe('replacing what a product unlocks', () => {
  test('puts the whole set in the place of the one before', async () => {
    const shop = await createShop();
    const version = await shop.catalogVersion();
    const first = await shop.put(`/products/${shop.product}`, [{ code: 'seats', value: 5 }, { code: 'export' }]);
    expect(first.status).toBe(200);
    expect(first.body).toMatchObject({
      object: 'features_change',
      dry_run: false,
      owner: { type: 'product', id: shop.product },
      features: [{ code: 'export' }, { code: 'seats', value: 5 }],
      recomputation: { object: 'recomputation', id: expect.stringMatching(/^rec_/), status: 'queued' },
      preview: null,
    });
    const second = await shop.put(`/products/${shop.product}`, [{ code: 'support' }]);
    expect(second.body.features).toEqual([
      { code: 'support', value: null, unlimited: false, per_unit: false, access_days: null },
    ]);
    expect((await shop.secret.get(`/products/${shop.product}`)).body.features).toEqual(second.body.features);
    expect(await shop.catalogVersion()).toBe(version + 2);
    const audit = await selling.service.admin.get(`/admin/audit?project_id=${shop.id}&action=mappings.replaced`);
    expect(audit.body.data).toHaveLength(2);
    expect(audit.body.data[0].detail).toMatchObject({
      product: shop.product,
      before: [{ code: 'export' }, { code: 'seats', value: 5 }],
      after: [{ code: 'support' }],
    });
  });

  test('recomputes every customer, in the background and with progress', async () => {
    const shop = await createShop();
    const customers = ['ada', 'ben', 'cleo', 'dan', 'eve'];
    for (const customer of customers) await shop.subscribe(customer);
    await shop.buy('fay');
    expect(await shop.has('ada')).toEqual({});

    const answer = await shop.put(`/products/${shop.product}`, [{ code: 'export' }, { code: 'seats', value: 3 }]);
    const { id } = answer.body.recomputation;
    expect(await shop.has('ada')).toEqual({});
    expect((await shop.secret.get(`/recomputations/${id}`)).body).toMatchObject({ status: 'queued', done: 0 });
    expect(await selling.jobKeys()).toContain(`recompute:${id}`);

    await selling.runRecomputations();
    for (const customer of [...customers, 'fay']) {
      expect(await shop.has(customer)).toEqual({ export: null, seats: 3 });
    }
    const progress = await shop.secret.get(`/recomputations/${id}`);
    expect(progress.body).toMatchObject({ id, status: 'completed', total: 6, done: 6, changed: 6 });
    expect(progress.body.finished_at).not.toBeNull();
    const { cause } = await selling.database.db
      .selectFrom('tollgate.snapshot_versions')
      .select('cause')
      .where('project_id', '=', shop.id)
      .orderBy('recorded_at', 'desc')
      .limit(1)
      .executeTakeFirstOrThrow();
    const audit = await selling.service.admin.get(`/admin/audit?project_id=${shop.id}&action=mappings.replaced`);
    expect(cause).toEqual({ type: 'catalog', id: audit.body.data[0].id });

    await shop.put(`/products/${shop.product}`, []);
    await selling.runRecomputations();
    for (const customer of customers) expect(await shop.has(customer)).toEqual({});
  });

  test('tells every cache of the catalog when it is committed', async () => {
    const shop = await createShop();
    const heard: string[] = [];
    const subscription = await listen(
      { connectionString: selling.database.url },
      'tollgate_catalog',
      (payload) => heard.push(payload),
      () => {},
    );
    try {
      await shop.put(`/products/${shop.product}`, [{ code: 'export' }], '?dry_run=true');
      await shop.put(`/products/${shop.product}`, [{ code: 'export' }]);
      await until(() => heard.length > 0);
      await sleep(50);
      expect(heard).toEqual([shop.id]);
    } finally {
      await subscription.stop();
    }
  });

  test('by the same set changes nothing', async () => {
    const shop = await createShop();
    await shop.put(`/products/${shop.product}`, [{ code: 'export' }, { code: 'seats', value: 5 }]);
    const before = await everything();
    const again = await shop.put(`/products/${shop.product}`, [{ code: 'seats', value: 5 }, { code: 'export' }]);
    expect(again.body).toMatchObject({ recomputation: null, features: [{ code: 'export' }, { code: 'seats' }] });
    expect(await everything()).toBe(before);
  });

  test('by twenty at once leaves one of their sets, whole', async () => {
    const shop = await createShop();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        shop.put(`/products/${shop.product}`, [
          { code: 'seats', value: n },
          ...(n % 2 === 0 ? [{ code: 'export' }] : [{ code: 'support' }]),
        ]),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
    const { features } = (await shop.secret.get(`/products/${shop.product}`)).body;
    expect(answers.map(({ body }) => body.features)).toContainEqual(features);
  });

  test.each([
    [[{ code: 'nothing' }], 'features.0.code'],
    [[{ code: 'export' }, { code: 'seats' }], 'features.1.value'],
    [[{ code: 'seats', value: -1 }], 'features.0.value'],
    [[{ code: 'seats', value: 2, unlimited: true }], 'features.0.value'],
    [[{ code: 'export', unlimited: true }], 'features.0.unlimited'],
    [[{ code: 'export' }, { code: 'export' }], 'features.1.code'],
    [[{ code: 'Export' }], 'features.0.code'],
    [[{ value: 1 }], 'features.0.code'],
    ['export', 'features'],
    [undefined, 'features'],
  ])('refuses %j and names %s, with and without dry_run', async (features, path) => {
    const shop = await createShop();
    await shop.put(`/products/${shop.product}`, [{ code: 'support' }]);
    const before = await everything();
    for (const query of ['', '?dry_run=true']) {
      const answer = await shop.secret.put(`/products/${shop.product}/features${query}`, { features });
      expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request']);
      expect(answer.body.errors).toContainEqual(expect.objectContaining({ path }));
    }
    expect(await everything()).toBe(before);
  });

  test('refuses a feature of another project like one that does not exist', async () => {
    const shop = await createShop();
    await other.secret.post('/features', { code: 'foreign', name: 'Foreign', type: 'boolean' });
    const answer = await shop.put(`/products/${shop.product}`, [{ code: 'foreign' }]);
    expect(answer.body.errors).toEqual([{ path: 'features.0.code', message: expect.stringContaining('no feature') }]);
  });

  test('refuses a dry_run that is neither true nor false, rather than do it', async () => {
    const shop = await createShop();
    const before = await everything();
    for (const query of ['?dry_run=yes', '?dry_run=1', '?dry_run=', '?dryrun=true']) {
      expect((await shop.put(`/products/${shop.product}`, [{ code: 'export' }], query)).status).toBe(400);
    }
    expect(await everything()).toBe(before);
  });
});

describe('replacing what a price unlocks', () => {
  test("takes the place of its product's mapping for the same code, for who bought that price", async () => {
    const shop = await createShop();
    await shop.put(`/products/${shop.product}`, [{ code: 'seats', value: 5, per_unit: true }, { code: 'export' }]);
    await shop.subscribe('ada', 2);
    await shop.buy('ben');
    const answer = await shop.put(`/prices/${shop.monthly}`, [{ code: 'seats', value: 10, per_unit: true }]);
    expect(answer.body).toMatchObject({ owner: { type: 'price', id: shop.monthly } });
    await selling.runRecomputations();
    expect(await shop.has('ada')).toEqual({ export: null, seats: 20 });
    expect(await shop.has('ben')).toEqual({ export: null, seats: 5 });
    expect((await shop.secret.get(`/prices/${shop.monthly}`)).body.features).toMatchObject([
      { code: 'seats', value: 10 },
    ]);
  });

  test('takes access_days for a one-off price only', async () => {
    const shop = await createShop();
    const refused = await shop.put(`/prices/${shop.monthly}`, [{ code: 'export', access_days: 30 }]);
    expect([refused.status, refused.body.errors[0].path]).toEqual([400, 'features.0.access_days']);
    expect((await shop.put(`/prices/${shop.once}`, [{ code: 'export', access_days: 30 }])).status).toBe(200);
  });
});

describe('a dry run', () => {
  test('tells who would gain and lose what, and writes nothing', async () => {
    const shop = await createShop();
    await shop.put(`/products/${shop.product}`, [{ code: 'export' }, { code: 'seats', value: 5 }]);
    await selling.runRecomputations();
    await shop.subscribe('ada');
    await shop.subscribe('ben');
    await shop.buy('cleo');
    // Bought something else, and ended long ago.
    await selling.know(
      shop.id,
      'dan',
      activeSubscription({ id: `sub_${shop.id}_dan` }, { priceId: 'price_x', productId: 'prod_x' }),
    );
    await selling.know(
      shop.id,
      'eve',
      activeSubscription(
        { id: `sub_${shop.id}_eve`, status: 'canceled', endedAt: Date.now() - 2 * DAY_MS },
        { priceId: shop.monthly, productId: shop.product },
      ),
    );
    const before = await everything();
    const answer = await shop.put(
      `/products/${shop.product}`,
      [{ code: 'support' }, { code: 'seats', value: 2 }],
      '?dry_run=true',
    );
    expect(answer.status).toBe(200);
    expect(await everything()).toBe(before);
    expect(answer.body).toMatchObject({
      object: 'features_change',
      dry_run: true,
      features: [{ code: 'seats', value: 2 }, { code: 'support' }],
      recomputation: null,
      preview: {
        considered: 4,
        affected: 3,
        totals: [
          { feature: 'export', gained: 0, lost: 3, changed: 0 },
          { feature: 'seats', gained: 0, lost: 0, changed: 3 },
          { feature: 'support', gained: 3, lost: 0, changed: 0 },
        ],
        truncated: false,
      },
    });
    const { customers } = answer.body.preview;
    expect(customers.map(({ customer_id }: { customer_id: string }) => customer_id)).toEqual(['ada', 'ben', 'cleo']);
    expect(customers[0].changes).toMatchObject([
      {
        feature: 'export',
        change: 'lost',
        before: { entitled: true },
        after: { entitled: false, reason: 'no_source' },
      },
      { feature: 'seats', change: 'changed', before: { value: 5 }, after: { entitled: true, value: 2 } },
      { feature: 'support', change: 'gained', before: { entitled: false }, after: { reason: 'subscription_active' } },
    ]);
    expect(customers[2].changes[2].after).toMatchObject({ entitled: true, reason: 'purchase', valid_to: null });
  });

  test('tells what then happens', async () => {
    const shop = await createShop();
    await shop.put(`/products/${shop.product}`, [{ code: 'export' }]);
    await shop.subscribe('ada');
    await shop.buy('ben');
    await selling.runRecomputations();
    const set = [{ code: 'seats', value: 4, per_unit: true }];
    const { preview } = (await shop.put(`/prices/${shop.monthly}`, set, '?dry_run=true')).body;
    const real = await shop.put(`/prices/${shop.monthly}`, set);
    await selling.runRecomputations();
    const { changed } = (await shop.secret.get(`/recomputations/${real.body.recomputation.id}`)).body;
    expect(changed).toBe(preview.affected);
    expect(preview.customers.map(({ customer_id }: { customer_id: string }) => customer_id)).toEqual(['ada']);
    expect(await shop.has('ada')).toEqual({ export: null, seats: 4 });
    expect(await shop.has('ben')).toEqual({ export: null });
  });

  test('names access that would end at another time as changed', async () => {
    const shop = await createShop();
    await shop.put(`/prices/${shop.once}`, [{ code: 'export' }, { code: 'support' }]);
    await shop.buy('ada');
    const set = [
      { code: 'export', access_days: 30 },
      { code: 'support', access_days: 1 },
    ];
    const { preview } = (await shop.put(`/prices/${shop.once}`, set, '?dry_run=true')).body;
    expect(preview.customers).toMatchObject([
      {
        customer_id: 'ada',
        changes: [
          { feature: 'export', change: 'changed', before: { valid_to: null }, after: { valid_to: expect.any(String) } },
          { feature: 'support', change: 'lost', after: { reason: 'expired' } },
        ],
      },
    ]);
  });

  test('says nothing is lost where a grant or another product still gives it', async () => {
    const shop = await createShop();
    await shop.put(`/products/${shop.product}`, [{ code: 'export' }]);
    const second = (await shop.secret.post('/products', { name: 'Second', features: [{ code: 'export' }] })).body.id;
    await shop.subscribe('ada');
    await selling.know(
      shop.id,
      'ada',
      paidPurchase({ id: `pi_${shop.id}` }, { priceId: 'price_y', productId: second }),
    );
    const { preview } = (await shop.put(`/products/${shop.product}`, [], '?dry_run=true')).body;
    expect(preview.totals.filter(({ lost }: { lost: number }) => lost > 0)).toEqual([]);
    const both = (await shop.put(`/products/${second}`, [], '?dry_run=true')).body.preview;
    expect(both.considered).toBe(1);
    expect(both.totals.filter(({ lost }: { lost: number }) => lost > 0)).toEqual([]);
  });

  test('counts everyone and names the first hundred', async () => {
    const shop = await createShop();
    for (let n = 0; n < 103; n++) await shop.subscribe(`u_${String(n).padStart(3, '0')}`);
    const { preview } = (await shop.put(`/products/${shop.product}`, [{ code: 'export' }], '?dry_run=true')).body;
    expect(preview).toMatchObject({
      considered: 103,
      affected: 103,
      totals: [{ feature: 'export', gained: 103, lost: 0, changed: 0 }],
      truncated: true,
    });
    expect(preview.customers).toHaveLength(100);
    expect(preview.customers[0].customer_id).toBe('u_000');
  });

  test('does not look at the customers of another project', async () => {
    const [shop, theirs] = [await createShop(), await createShop()];
    await theirs.subscribe('ada', 1, shop.monthly);
    await selling.know(
      theirs.id,
      'ben',
      activeSubscription({ id: `sub_${shop.id}` }, { priceId: shop.monthly, productId: shop.product }),
    );
    const { preview } = (await shop.put(`/products/${shop.product}`, [{ code: 'export' }], '?dry_run=true')).body;
    expect(preview).toMatchObject({ considered: 0, affected: 0, customers: [] });
  });
});

describe('a recomputation', () => {
  test('of another project looks like one that does not exist', async () => {
    const shop = await createShop();
    const { id } = (await shop.put(`/products/${shop.product}`, [{ code: 'export' }])).body.recomputation;
    const [theirs, missing] = [
      await other.secret.get(`/recomputations/${id}`),
      await other.secret.get('/recomputations/rec_missing'),
    ];
    expect(missing.status).toBe(404);
    expect({ ...theirs.body, request_id: '' }).toEqual({ ...missing.body, request_id: '' });
    expect((await shop.publishable.get(`/recomputations/${id}`)).status).toBe(403);
    const { admin } = selling.service;
    expect((await admin.get(`/recomputations/${id}?project_id=${shop.id}`)).status).toBe(200);
  });

  test('follows when a repeat gives mappings to a product that someone has bought already', async () => {
    const shop = await createShop();
    const { db } = selling.database;
    const body = { product: shop.product, currency: 'eur', unit_amount: 700, features: [{ code: 'support' }] };
    const headers = { 'idempotency-key': 'bought-already' };
    const { id } = (await shop.secret.post('/prices', body, headers)).body;
    // As if the first try had come no further than Stripe, and the webhook had made the price known.
    await db.deleteFrom('tollgate.mappings').where('owner_id', '=', id).execute();
    await db.deleteFrom('tollgate.idempotency_keys').where('idempotency_key', '=', 'bought-already').execute();
    await selling.know(shop.id, 'ada', paidPurchase({ id: `pi_${id}` }, { priceId: id, productId: shop.product }));
    await shop.secret.post('/prices', body, headers);
    await selling.runRecomputations();
    expect(await shop.has('ada')).toEqual({ support: null });
  });
});
