import type { SubscriptionFact } from '@tollgate/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { item, subscription, terms } from '../../../core/test/build.ts';
import { ensureCustomer } from '../../src/customers/ensure-customer.ts';
import { recomputeCustomer } from '../../src/entitlements/recompute.ts';
import { saveFact } from '../../src/facts/save-fact.ts';
import { registerRevenueRoutes } from '../../src/revenue/routes.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type HttpService, startHttp } from '../support/http.ts';

const DAY = 86_400_000;
let database: TestDatabase;
let service: HttpService;
let sequence = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  service = await startHttp(database, {}, (app) =>
    registerRevenueRoutes(app, { db: database.db, clock: { now: () => service.clock.now() } }),
  );
});
afterAll(async () => {
  await service.close();
  await database.drop();
});

interface Shop {
  id: string;
  key: string;
  product: string;
}

/** A project that sells one product, which unlocks one feature. */
async function openShop(slug: string): Promise<Shop> {
  const { body } = await service.admin.post('/admin/projects', { name: slug, slug });
  const { db } = database;
  const feature = { project_id: body.id, code: 'pro', name: 'Pro', type: 'boolean', aggregation: 'max' } as const;
  await db
    .insertInto('tollgate.features')
    .values({ ...feature, description: null })
    .execute();
  const mapping = { project_id: body.id, owner_type: 'product', owner_id: `prod_${slug}`, code: 'pro' } as const;
  await db
    .insertInto('tollgate.mappings')
    .values({ ...mapping, value: null, access_days: null })
    .execute();
  return { id: body.id, key: body.secret_key, product: `prod_${slug}` };
}

/** Has a customer subscribe, as the mirror would record it. */
async function subscribed(shop: Shop, name: string, parts: Partial<SubscriptionFact>): Promise<void> {
  const now = service.clock.now();
  const items = (parts.items ?? []).map((each) => ({ ...each, productId: shop.product }));
  const fact = subscription({ id: `sub_${name}`, startedAt: now - DAY, ...parts, items });
  sequence += 1;
  await database.db.transaction().execute(async (tx) => {
    const customer = await ensureCustomer(tx, { projectId: shop.id, externalId: name, now });
    const cause = { type: 'event', id: 'evt_1' } as const;
    const recordedAt = new Date(now);
    await saveFact(tx, { projectId: shop.id, customerId: customer.id, fact, sequence, cause, recordedAt });
    await recomputeCustomer(tx, { customerId: customer.id, cause, now });
  });
}

function running(price: Parameters<typeof terms>[0], more: Parameters<typeof item>[0] = {}) {
  const now = service.clock.now();
  return item({ currentPeriodStart: now - DAY, currentPeriodEnd: now + 20 * DAY, price: terms(price), ...more });
}

const forever = { duration: 'forever', percentOff: 25, amountOff: null, currency: null, end: null } as const;
const once = { duration: 'once', percentOff: 50, amountOff: null, currency: null, end: null } as const;

describe("a project's figures", () => {
  test('are all zero for a project in which nothing has happened', async () => {
    const shop = await openShop('quiet');
    const { status, body } = await service.as(shop.key).get('/metrics/summary');
    expect(status).toBe(200);
    expect(body).toEqual({
      object: 'metrics_summary',
      as_of: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      active_subscriptions: 0,
      trialing_subscriptions: 0,
      past_due_subscriptions: 0,
      customers: 0,
      entitled_customers: 0,
      mrr: [],
    });
  });

  test('are those of a table worked out by hand', async () => {
    const shop = await openShop('table');
    const now = service.clock.now();
    // US dollars: 10.00 + 120.00/12 + 3 × 5.00 + 10.00 less 25 % for ever + 20.00, as a coupon for once does not count
    await subscribed(shop, 'monthly', { items: [running({ unitAmount: 1000 })] });
    await subscribed(shop, 'yearly', { items: [running({ unitAmount: 12_000, interval: 'year' })] });
    await subscribed(shop, 'seats', { items: [running({ unitAmount: 500 }, { quantity: 3 })] });
    await subscribed(shop, 'coupon', { items: [running({ unitAmount: 1000 })], discounts: [forever] });
    await subscribed(shop, 'one_off_coupon', { items: [running({ unitAmount: 2000 })], discounts: [once] });
    // Euros: 10.00 of a payment that is late by a day, and 100.00 a year, which is 8.33… a month
    await subscribed(shop, 'late', {
      status: 'past_due',
      pastDueSince: now - DAY,
      items: [running({ unitAmount: 1000, currency: 'eur' })],
    });
    await subscribed(shop, 'euro_year', {
      items: [running({ unitAmount: 10_000, currency: 'eur', interval: 'year' })],
    });
    // Nothing: a trial, one that ended, one that is paused, one that is free and one by use
    await subscribed(shop, 'trial', {
      status: 'trialing',
      trialStart: now - DAY,
      trialEnd: now + 13 * DAY,
      items: [running({ unitAmount: 9900 })],
    });
    await subscribed(shop, 'gone', { status: 'canceled', endedAt: now - DAY, items: [running({ unitAmount: 9900 })] });
    await subscribed(shop, 'paused', { status: 'paused', items: [running({ unitAmount: 9900 })] });
    await subscribed(shop, 'free', { items: [running({ unitAmount: 0, currency: 'gbp' })] });
    await subscribed(shop, 'metered', {
      items: [running({ unitAmount: 7, usageType: 'metered', currency: 'chf' }, { quantity: null })],
    });

    const { body } = await service.as(shop.key).get('/metrics/summary');
    expect(body).toMatchObject({
      active_subscriptions: 8,
      trialing_subscriptions: 1,
      past_due_subscriptions: 1,
      customers: 12,
      entitled_customers: 10,
      mrr: [
        { currency: 'eur', amount: 1833 },
        { currency: 'usd', amount: 1000 + 1000 + 1500 + 750 + 2000 },
      ],
    });
  });

  test('follow time: who is no longer entitled is no longer counted', async () => {
    const shop = await openShop('fading');
    await subscribed(shop, 'soon_over', {
      cancelAt: service.clock.now() + 2 * DAY,
      items: [running({ unitAmount: 1000 })],
    });
    const client = service.as(shop.key);
    expect((await client.get('/metrics/summary')).body.entitled_customers).toBe(1);
    service.clock.advance(3 * DAY);
    const { body } = await client.get('/metrics/summary');
    expect(body).toMatchObject({ entitled_customers: 0, customers: 1 });
    expect(Math.abs(Date.parse(body.as_of) - service.clock.now())).toBeLessThan(60_000);
  });

  test('count everything of a project that is larger than a batch', async () => {
    const shop = await openShop('large');
    await subscribed(shop, 'first', { items: [running({ unitAmount: 7 })] });
    await multiply(shop.id, 1104);
    const { body } = await service.as(shop.key).get('/metrics/summary');
    expect(body).toMatchObject({
      active_subscriptions: 1105,
      customers: 1105,
      entitled_customers: 1105,
      mrr: [{ currency: 'usd', amount: 7735 }],
    });
  });

  test("need the scope metrics:read, and are never another project's", async () => {
    const shop = await openShop('guarded');
    const path = `/admin/projects/${shop.id}/keys`;
    const { body: key } = await service.admin.post(path, { scopes: ['catalog:read'] });
    expect((await service.as(key.key).get('/metrics/summary')).status).toBe(403);
    expect((await service.as(null).get('/metrics/summary')).status).toBe(401);
    expect((await service.admin.get('/metrics/summary?project_id=prj_nobody')).status).toBe(404);
    expect((await service.admin.get(`/metrics/summary?project_id=${shop.id}`)).body.customers).toBe(0);
  });
});

describe("the installation's figures", () => {
  test('list every project and add them up, each currency on its own and rounded once', async () => {
    const before = (await service.admin.get('/admin/metrics')).body;
    const shops = [await openShop('third-1'), await openShop('third-2')];
    // A yearly yen price of 100 is 8.33… a month; two of them are 16.67, not 8 + 8.
    for (const shop of shops) {
      await subscribed(shop, `yen_${shop.id}`, {
        items: [running({ unitAmount: 100, currency: 'jpy', interval: 'year' })],
      });
    }
    const { status, body } = await service.admin.get('/admin/metrics');
    expect(status).toBe(200);
    expect(body.object).toBe('installation_metrics');
    expect(body.projects).toHaveLength(before.projects.length + 2);
    for (const shop of shops) {
      expect(body.projects.find((project: { project_id: string }) => project.project_id === shop.id)).toMatchObject({
        active_subscriptions: 1,
        mrr: [{ currency: 'jpy', amount: 8 }],
      });
    }
    expect(body.total.active_subscriptions).toBe(before.total.active_subscriptions + 2);
    expect(body.total.customers).toBe(before.total.customers + 2);
    expect(body.total.mrr).toEqual([...before.total.mrr, { currency: 'jpy', amount: 17 }].sort(byCurrency));
  });

  test("are an operator's alone", async () => {
    const shop = await openShop('not-an-operator');
    expect((await service.as(shop.key).get('/admin/metrics')).status).toBe(403);
  });
});

function byCurrency(a: { currency: string }, b: { currency: string }): number {
  return a.currency < b.currency ? -1 : 1;
}

/** Copies the project's only customer, with subscription and snapshot. */
async function multiply(projectId: string, times: number): Promise<void> {
  for (const [table, columns, copies] of [
    ['customers', 'id, project_id, external_id', 'id || n, project_id, external_id || n'],
    [
      'facts',
      'project_id, customer_id, kind, object_id, body, recorded_at',
      'project_id, customer_id || n, kind, object_id || n, body, recorded_at',
    ],
    [
      'snapshots',
      'project_id, external_id, customer_id, version, body, recorded_at',
      'project_id, external_id || n, customer_id || n, version, body, recorded_at',
    ],
  ] as const) {
    await database.pool.query(
      `insert into tollgate.${table} (${columns})
       select ${copies} from tollgate.${table}, generate_series(1, $2) as n where project_id = $1`,
      [projectId, times],
    );
  }
}
