import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import {
  createTestProject,
  type EntitlementsService,
  startEntitlements,
  type TestProject,
} from '../support/entitlements-app.ts';

const DAY_MS = 86_400_000;

let database: TestDatabase;
let service: EntitlementsService;
let project: TestProject;
let other: TestProject;

beforeAll(async () => {
  database = await createTestDatabase();
  service = await startEntitlements(database.url);
  project = await createTestProject(service, 'one');
  other = await createTestProject(service, 'two');
});
afterAll(async () => {
  await service.close();
  await database.drop();
});

const inDays = (days: number) => new Date(service.clock.now() + days * DAY_MS).toISOString();

describe('a customer never seen', () => {
  test('has no entitlements, which is no error', async () => {
    const { status, body } = await project.app.get('/entitlements?customer_id=nobody');
    expect(status).toBe(200);
    expect(body).toEqual({
      object: 'entitlements',
      project_id: project.id,
      customer_id: 'nobody',
      version: 0,
      next_change_at: null,
      entitlements: {},
    });
  });

  test('is denied for want of a source', async () => {
    expect((await project.check('nobody', 'pro_export')).body).toEqual({
      object: 'decision',
      customer_id: 'nobody',
      feature: 'pro_export',
      entitled: false,
      value: null,
      unlimited: false,
      reason: 'no_source',
      valid_to: null,
      version: 0,
    });
  });
});

describe('a check', () => {
  test('of a feature that the project does not have is an answer, never an error and never true', async () => {
    await project.grant('u_1', 'pro_export');
    for (const feature of ['nonsense', 'Pro Export!', 'constructor', '__proto__', 'x'.repeat(200), 'ü"\\\n']) {
      const { status, body } = await project.check('u_1', feature);
      expect(status).toBe(200);
      expect(body).toMatchObject({ feature, entitled: false, reason: 'unknown_feature' });
    }
  });

  test('knows a feature from the moment that it exists', async () => {
    expect((await project.check('u_2', 'brand_new')).body.reason).toBe('unknown_feature');
    await project.app.post('/features', { code: 'brand_new', name: 'Brand new', type: 'boolean' });
    await project.grant('u_2', 'brand_new');
    expect((await project.check('u_2', 'brand_new')).body).toMatchObject({ entitled: true, reason: 'grant' });
  });

  test('tells apart customers whose ids differ by case, spaces or script', async () => {
    const ids = ['Ann', 'ann', ' ann', 'ann ', 'änn', '安', 'a/b?c=d&e', '😀', '%41nn'];
    await project.grant('ann', 'pro_export');
    for (const id of ids) {
      const { body } = await project.check(id, 'pro_export');
      expect(body.customer_id).toBe(id);
      expect(body.entitled, id).toBe(id === 'ann');
    }
  });

  test("never shows another project's customers", async () => {
    await project.grant('shared_id', 'pro_export');
    expect((await project.check('shared_id', 'pro_export')).body.entitled).toBe(true);
    expect((await other.check('shared_id', 'pro_export')).body.entitled).toBe(false);
    expect((await other.app.get('/entitlements?customer_id=shared_id')).body.version).toBe(0);
  });

  test('names its project with an admin key, and only then', async () => {
    await project.grant('u_3', 'pro_export');
    const query = 'customer_id=u_3&feature=pro_export';
    expect((await service.admin.get(`/check?${query}&project_id=${project.id}`)).body.entitled).toBe(true);
    expect((await service.admin.get(`/check?${query}&project_id=${other.id}`)).body.entitled).toBe(false);
    expect((await service.admin.get(`/check?${query}&project_id=prj_none`)).status).toBe(404);
    expect((await service.admin.get(`/check?${query}`)).status).toBe(400);
    expect((await project.app.get(`/check?${query}&project_id=${project.id}`)).status).toBe(400);
  });

  test('takes a key with its scope and no other', async () => {
    const keys = `/admin/projects/${project.id}/keys`;
    const reader = await service.admin.post(keys, { scopes: ['entitlements:read'] });
    const shop = await service.admin.post(keys, { scopes: ['checkout:write'] });
    const page = await service.admin.post(keys, { kind: 'publishable' });
    for (const path of [
      '/check?customer_id=u&feature=f',
      '/entitlements?customer_id=u',
      '/explain?customer_id=u&feature=f',
      '/entitlements/history?customer_id=u',
    ]) {
      expect((await service.as(reader.body.key).get(path)).status, path).toBe(200);
      expect((await service.as(shop.body.key).get(path)).status, path).toBe(403);
      expect((await service.as(page.body.key).get(path)).status, path).toBe(403);
      expect((await service.as(null).get(path)).status, path).toBe(401);
    }
  });

  test.each([
    ['no customer', '/check?feature=pro_export', 'customer_id'],
    ['an empty customer', '/check?customer_id=&feature=pro_export', 'customer_id'],
    ['a customer id that is too long', `/check?customer_id=${'x'.repeat(201)}&feature=pro_export`, 'customer_id'],
    ['a customer id with a line break', '/check?customer_id=a%0Ab&feature=pro_export', 'customer_id'],
    ['two customers', '/check?customer_id=a&customer_id=b&feature=pro_export', 'customer_id'],
    ['no feature', '/check?customer_id=u_1', 'feature'],
    ['a feature that is too long', `/check?customer_id=u_1&feature=${'x'.repeat(201)}`, 'feature'],
    ['an unknown parameter', '/check?customer_id=u_1&feature=pro_export&debug=1', 'debug'],
    ['entitlements of nobody', '/entitlements', 'customer_id'],
    ['an explanation at no moment', '/explain?customer_id=u&feature=f&as_of=yesterday', 'as_of'],
    ['an explanation known at no moment', '/explain?customer_id=u&feature=f&known_at=2026-02-30T00:00:00Z', 'known_at'],
    ['a page of none', '/entitlements/history?customer_id=u&limit=0', 'limit'],
    ['a cursor of another list', '/entitlements/history?customer_id=u&cursor=cHJqXzE', 'cursor'],
  ])('refuses %s', async (_, path, field) => {
    const { status, body } = await project.app.get(path);
    expect(status).toBe(400);
    expect(body.code).toBe('invalid_request');
    expect(body.errors.map((error: { path: string }) => error.path)).toContain(field);
  });
});

describe('many checks at once', () => {
  test('are answered in their order, whoever they are about', async () => {
    await project.grant('many_1', 'pro_export');
    await project.grant('many_2', 'seats', { value: 7 });
    const checks = [
      { customer_id: 'many_2', feature: 'seats' },
      { customer_id: 'nobody', feature: 'pro_export' },
      { customer_id: 'many_1', feature: 'pro_export' },
      { customer_id: 'many_2', feature: 'seats' },
      { customer_id: 'many_1', feature: 'nonsense' },
    ];
    const { status, body } = await project.app.post('/check', { checks });
    expect(status).toBe(200);
    expect(Object.keys(body)).toEqual(['object', 'data']);
    expect(body.object).toBe('list');
    expect(body.data.map((one: { customer_id: string; feature: string }) => [one.customer_id, one.feature])).toEqual(
      checks.map((one) => [one.customer_id, one.feature]),
    );
    expect(body.data.map((one: { entitled: boolean; value: number | null }) => [one.entitled, one.value])).toEqual([
      [true, 7],
      [false, null],
      [true, null],
      [true, 7],
      [false, null],
    ]);
    const single = await project.check('many_2', 'seats');
    expect(body.data[0]).toEqual(single.body);
  });

  test('are at most a hundred, and one at least', async () => {
    const checks = (count: number) =>
      Array.from({ length: count }, (_, i) => ({ customer_id: `bulk_${i}`, feature: 'pro_export' }));
    const hundred = await project.app.post('/check', { checks: checks(100) });
    expect(hundred.status).toBe(200);
    expect(hundred.body.data).toHaveLength(100);
    expect((await project.app.post('/check', { checks: checks(101) })).status).toBe(400);
    expect((await project.app.post('/check', { checks: [] })).status).toBe(400);
  });

  test.each([
    ['no checks', {}],
    ['a check without a feature', { checks: [{ customer_id: 'u' }] }],
    ['a check with a field too many', { checks: [{ customer_id: 'u', feature: 'f', value: 1 }] }],
    ['a customer that is a number', { checks: [{ customer_id: 42, feature: 'f' }] }],
    ['checks that are no list', { checks: { customer_id: 'u', feature: 'f' } }],
    ['an unknown field', { checks: [{ customer_id: 'u', feature: 'f' }], debug: true }],
  ])('refuse %s', async (_, body) => {
    const answer = await project.app.post('/check', body);
    expect(answer.status).toBe(400);
    expect(answer.body.code).toBe('invalid_request');
  });

  test('leave nothing behind for an Idempotency-Key', async () => {
    const ask = () =>
      project.app.post(
        '/check',
        { checks: [{ customer_id: 'fresh', feature: 'pro_export' }] },
        { 'idempotency-key': 'same' },
      );
    expect((await ask()).body.data[0].entitled).toBe(false);
    await project.grant('fresh', 'pro_export');
    const again = await ask();
    expect(again.body.data[0].entitled).toBe(true);
    expect(again.headers.get('idempotent-replayed')).toBeNull();
  });
});

test('checks are not limited in their rate, and what is looked up now and then is', async () => {
  const limited = await startEntitlements(database.url, { rateLimit: { max: 3, windowMs: 60_000 } });
  try {
    const app = limited.as(project.secretKey);
    const statuses = async (path: string) =>
      new Set((await Promise.all(Array.from({ length: 10 }, () => app.get(path)))).map(({ status }) => status));
    expect(await statuses('/check?customer_id=busy&feature=pro_export')).toEqual(new Set([200]));
    expect(await statuses('/entitlements?customer_id=busy')).toEqual(new Set([200]));
    expect(await statuses('/explain?customer_id=busy&feature=pro_export')).toEqual(new Set([200, 429]));
  } finally {
    await limited.close();
  }
});

describe('the entitlements of a customer', () => {
  test('are those that hold now, with their span and sources', async () => {
    const start = service.clock.now();
    const boolean = await project.grant('full', 'pro_export', { valid_to: inDays(30) });
    await project.grant('full', 'seats', { value: 5 });
    await project.grant('full', 'priority_support', { valid_from: inDays(10), valid_to: inDays(20) });
    const { body } = await project.app.get('/entitlements?customer_id=full');
    expect(Object.keys(body.entitlements).sort()).toEqual(['pro_export', 'seats']);
    expect(body).toMatchObject({ object: 'entitlements', project_id: project.id, customer_id: 'full', version: 3 });
    expect(body.entitlements.pro_export).toEqual({
      feature: 'pro_export',
      type: 'boolean',
      entitled: true,
      value: null,
      unlimited: false,
      valid_from: boolean.body.valid_from,
      valid_to: boolean.body.valid_to,
      sources: [{ type: 'grant', id: boolean.body.id, reason: 'grant' }],
    });
    expect(body.entitlements.seats).toMatchObject({ type: 'limit', value: 5, valid_to: null });
    const nextChange = Date.parse(body.next_change_at);
    expect(nextChange).toBeGreaterThan(start + 9 * DAY_MS);
    expect(nextChange).toBeLessThan(start + 11 * DAY_MS);
  });

  test('combine the amounts of several sources as the feature says', async () => {
    for (const value of [3, 8, 5]) {
      await project.grant('adder', 'seats', { value });
      await project.grant('adder', 'api_calls', { value });
    }
    const { body } = await project.app.get('/entitlements?customer_id=adder');
    expect(body.entitlements.seats).toMatchObject({ value: 8, unlimited: false });
    expect(body.entitlements.api_calls).toMatchObject({ value: 16, unlimited: false });
    await project.grant('adder', 'api_calls', { unlimited: true });
    expect((await project.check('adder', 'api_calls')).body).toMatchObject({ value: null, unlimited: true });
  });

  test('begin and end with their windows, without a job and without a new version', async () => {
    await project.grant('window', 'pro_export', { valid_from: inDays(1), valid_to: inDays(3) });
    const seen: [boolean, string, string[], number][] = [];
    const look = async () => {
      const { body } = await project.check('window', 'pro_export');
      const all = await project.app.get('/entitlements?customer_id=window');
      seen.push([body.entitled, body.reason, Object.keys(all.body.entitlements), body.version]);
    };
    await look();
    service.clock.advance(DAY_MS - 60_000);
    await look();
    service.clock.advance(60_000);
    await look();
    service.clock.advance(2 * DAY_MS);
    await look();
    expect(seen).toEqual([
      [false, 'not_started', [], 1],
      [false, 'not_started', [], 1],
      [true, 'grant', ['pro_export'], 1],
      [false, 'expired', [], 1],
    ]);
  });
});

describe('the ETag of entitlements', () => {
  const ask = (tag?: string) =>
    project.app.get('/entitlements?customer_id=tagged', tag === undefined ? {} : { 'if-none-match': tag });

  test('is the same while nothing changes, and spares the body', async () => {
    await project.grant('tagged', 'pro_export', { valid_to: inDays(5) });
    const first = await ask();
    const tag = first.headers.get('etag') ?? '';
    expect(tag).toMatch(/^"[^"]+"$/);
    for (const header of [tag, `W/${tag}`, `"other", ${tag}`, '*']) {
      const again = await ask(header);
      expect([again.status, again.body, again.headers.get('etag')]).toEqual([304, '', tag]);
    }
    expect((await ask('"other"')).status).toBe(200);
  });

  test('changes with the version', async () => {
    const before = (await ask()).headers.get('etag') ?? '';
    await project.grant('tagged', 'seats', { value: 2 });
    const after = await ask(before);
    expect(after.status).toBe(200);
    expect(after.headers.get('etag')).not.toBe(before);
  });

  test('changes with the window', async () => {
    const before = (await ask()).headers.get('etag') ?? '';
    service.clock.advance(6 * DAY_MS);
    const after = await ask(before);
    expect(after.status).toBe(200);
    expect(Object.keys(after.body.entitlements)).toEqual(['seats']);
    expect(after.headers.get('etag')).not.toBe(before);
  });
});

test('what is sent is what the schema promises', async () => {
  await project.grant('shape', 'seats', { value: 1 });
  const document = service.app.swagger() as unknown as {
    paths: Record<string, unknown>;
    components: { schemas: Record<string, { required: string[] }> };
  };
  const decision = await project.check('shape', 'seats');
  const entitlements = await project.app.get('/entitlements?customer_id=shape');
  expect(Object.keys(decision.body)).toEqual(document.components.schemas.Decision?.required);
  expect(Object.keys(entitlements.body)).toEqual(document.components.schemas.Entitlements?.required);
  expect(Object.keys(document.paths)).toEqual(
    expect.arrayContaining([
      '/api/v1/check',
      '/api/v1/entitlements',
      '/api/v1/explain',
      '/api/v1/entitlements/history',
    ]),
  );
});
