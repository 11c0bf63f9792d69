import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type DatabaseProxy, startDatabaseProxy } from '../support/database-proxy.ts';
import {
  createTestProject,
  type EntitlementsService,
  type EntitlementsServiceOptions,
  startEntitlements,
  type TestProject,
} from '../support/entitlements-app.ts';
import { until } from '../support/until.ts';

const MINUTE_MS = 60_000;

let database: TestDatabase;
/** The one that writes. */
let writer: EntitlementsService;
let project: TestProject;
/** Closed after each test, in reverse order. */
let open: { close(): Promise<void> }[];

beforeEach(async () => {
  database = await createTestDatabase({ max: 12 });
  writer = await startEntitlements(database.url);
  open = [writer];
  project = await createTestProject(writer);
});
afterEach(async () => {
  for (const one of open.reverse()) await one.close();
  await database.drop();
});

/** Another process on the same database, behind a proxy that can fail. */
async function startReader(
  options: EntitlementsServiceOptions = {},
): Promise<{ service: EntitlementsService; proxy: DatabaseProxy; entitled(customerId: string): Promise<unknown> }> {
  const proxy = await startDatabaseProxy(database.url);
  const service = await startEntitlements(proxy.url, options);
  // The proxy goes first: nothing waits for a database that hangs.
  open.push(service, proxy);
  const client = service.as(project.secretKey);
  return {
    service,
    proxy,
    entitled: async (customerId) => {
      const { status, body } = await client.get(`/check?customer_id=${customerId}&feature=pro_export`);
      return status === 200 ? body.entitled : body.code;
    },
  };
}

const revokeAll = (customerId: string) =>
  writer.admin.post('/admin/revoke', {
    project_id: project.id,
    customer_id: customerId,
    feature: 'pro_export',
    reason: 'A test',
  });

describe('two processes on one database', () => {
  test('see what the other changes, without waiting for an age', async () => {
    const { entitled, service } = await startReader();
    expect(await entitled('u_1')).toBe(false);
    await project.grant('u_1', 'pro_export');
    await until(async () => (await entitled('u_1')) === true);
    await revokeAll('u_1');
    await until(async () => (await entitled('u_1')) === false);
    expect(service.reader.counts().misses).toBeLessThan(10);
  });

  test('see a feature that the other creates', async () => {
    const { service } = await startReader();
    const client = service.as(project.secretKey);
    const reason = async () => (await client.get('/check?customer_id=u_1&feature=fresh')).body.reason;
    expect(await reason()).toBe('unknown_feature');
    await project.app.post('/features', { code: 'fresh', name: 'Fresh', type: 'boolean' });
    await until(async () => (await reason()) === 'no_source');
  });

  test('read a customer once, and answer from memory from then on', async () => {
    await project.grant('u_1', 'pro_export');
    const { entitled, service } = await startReader();
    for (let i = 0; i < 10; i++) expect(await entitled('u_1')).toBe(true);
    expect(service.reader.counts()).toMatchObject({ misses: 1, hits: 9, entries: 1 });
  });

  test('read again what was missed while the connection that hears was broken', async () => {
    const { entitled, service } = await startReader();
    expect(await entitled('u_1')).toBe(false);
    await database.pool.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'tollgate listen' and datname = current_database()",
    );
    await project.grant('u_1', 'pro_export');
    await until(async () => (await entitled('u_1')) === true);
    await until(() => service.reader.state().listening);
    await revokeAll('u_1');
    await until(async () => (await entitled('u_1')) === false);
  });
});

describe('a cache that hears nothing', () => {
  test('trusts what it holds for a minute at most', async () => {
    const { entitled, service } = await startReader();
    expect(await entitled('u_1')).toBe(false);
    // Written behind everyone's back, without a word on the channel.
    await project.grant('u_2', 'pro_export');
    await database.pool.query(
      `insert into tollgate.snapshots (project_id, external_id, customer_id, version, body, recorded_at)
       select project_id, 'u_1', customer_id, 9, body, recorded_at from tollgate.snapshots where external_id = 'u_2'`,
    );
    service.clock.advance(MINUTE_MS - 5_000);
    expect(await entitled('u_1')).toBe(false);
    service.clock.advance(6_000);
    expect(await entitled('u_1')).toBe(true);
  });
});

describe('a change that arrives while a snapshot is being read', () => {
  test('wins: what was read before it is not remembered', async () => {
    await project.grant('u_1', 'pro_export');
    const { service } = await startReader();
    const { db, reader } = service;
    const decide = async () => JSON.parse((await reader.decide(project.id, 'u_1', 'pro_export')).text).entitled;
    await reader.decide(project.id, 'nobody', 'pro_export');
    // The rows of this read are held back until a newer version has been announced.
    const held = Promise.withResolvers<void>();
    const reading = Promise.withResolvers<void>();
    const executeQuery = db.executeQuery.bind(db);
    let reads = 0;
    Object.defineProperty(db, 'executeQuery', {
      value: async (query: Parameters<typeof executeQuery>[0]) => {
        const result = await executeQuery(query);
        reads += 1;
        if (reads === 1) {
          reading.resolve();
          await held.promise;
        }
        return result;
      },
    });
    const early = decide();
    await reading.promise;
    await revokeAll('u_1');
    // Until the news arrives, a check waits for the same read.
    await until(async () => (await Promise.race([decide(), sleep(20)])) === false);
    held.resolve();
    await early;
    expect(await decide()).toBe(false);
  });
});

describe('while the database cannot be reached', () => {
  test.each(['cut', 'hang'] as const)('(%s) cached customers are answered and others refused', async (way) => {
    await project.grant('known', 'pro_export');
    const { service, proxy, entitled } = await startReader();
    expect(await entitled('known')).toBe(true);
    proxy[way]();
    service.clock.advance(2 * MINUTE_MS);
    expect(await entitled('known')).toBe(true);
    const refused = await service.as(project.secretKey).get('/check?customer_id=stranger&feature=pro_export');
    expect([refused.status, refused.body.code]).toEqual([503, 'database_unavailable']);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(service.reader.state().stale).toBe(true);
    expect(service.reader.counts().stale).toBeGreaterThan(0);
    proxy.restore();
    await until(async () => (await entitled('stranger')) === false, 30_000);
    await until(() => service.reader.state().listening, 30_000);
  });

  test('windows go on ending on time', async () => {
    const validTo = new Date(writer.clock.now() + 5 * MINUTE_MS).toISOString();
    await project.grant('known', 'pro_export', { valid_to: validTo });
    const { service, proxy, entitled } = await startReader();
    expect(await entitled('known')).toBe(true);
    proxy.cut();
    service.clock.advance(4 * MINUTE_MS);
    expect(await entitled('known')).toBe(true);
    service.clock.advance(MINUTE_MS);
    expect(await entitled('known')).toBe(false);
  });

  test('nothing older than fifteen minutes answers: access is never made up', async () => {
    await project.grant('known', 'pro_export');
    const { service, proxy } = await startReader();
    const decide = async () => (await service.reader.decide(project.id, 'known', 'pro_export')).text;
    expect(await decide()).toContain('"entitled":true');
    proxy.cut();
    service.clock.advance(14 * MINUTE_MS);
    expect(await decide()).toContain('"entitled":true');
    service.clock.advance(2 * MINUTE_MS);
    await expect(decide()).rejects.toThrow(expect.objectContaining({ code: 'database_unavailable' }));
  });

  test('what changed meanwhile is seen once it is back', async () => {
    await project.grant('known', 'pro_export');
    const { proxy, entitled, service } = await startReader();
    expect(await entitled('known')).toBe(true);
    proxy.cut();
    await until(() => !service.reader.state().listening);
    await revokeAll('known');
    expect(await entitled('known')).toBe(true);
    proxy.restore();
    await until(async () => (await entitled('known')) === false, 30_000);
  });
});

test('the cache stays within its bytes, and forgets who was not asked about for longest', async () => {
  const { service } = await startReader({ snapshotBytes: 20_000, answerBytes: 20_000 });
  const { reader } = service;
  for (let i = 0; i < 500; i++) await reader.decide(project.id, `u_${i}`, 'pro_export');
  const counts = reader.counts();
  expect(counts.bytes).toBeLessThanOrEqual(20_000);
  expect(counts.entries).toBeGreaterThan(20);
  expect(counts.entries).toBeLessThan(500);
  const before = counts.misses;
  await reader.decide(project.id, 'u_499', 'pro_export');
  expect(reader.counts().misses).toBe(before);
  await reader.decide(project.id, 'u_0', 'pro_export');
  expect(reader.counts().misses).toBe(before + 1);
});
