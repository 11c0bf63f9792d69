/** Guessing, keeping and stretching keys. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createFailedAttempts } from '../../src/platform/http/failed-attempts.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { ADMIN_KEY, type HttpService, startHttp } from '../support/http.ts';
import { startTollgate } from '../support/tollgate.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

describe("guesses of the operator's key", () => {
  const max = 5;
  let service: HttpService;
  beforeAll(async () => {
    service = await startHttp(database, { failedAttempts: { max, windowMs: 3_600_000 } });
  });
  afterAll(() => service.close());

  it('stop at the limit, though they are all made at once', async () => {
    // Injected, so that they come in this order, each before the first has been answered.
    const guess = (key: string) =>
      service.app.inject({ url: '/api/v1/admin/projects', headers: { authorization: `Bearer ${key}` } });
    const keys = [...Array.from({ length: 60 }, (_, index) => `guess-${index}`), ADMIN_KEY];
    const statuses = (await Promise.all(keys.map(guess))).map(({ statusCode }) => statusCode);
    expect(statuses.filter((status) => status === 401)).toHaveLength(max);
    // The right one among those that came too late is not let in either: that is what makes guessing slow.
    expect(statuses.at(-1)).toBe(429);
  });

  it('leave the keys of the same address alone that nobody can guess', async () => {
    service.clock.advance(3_600_001);
    const project = await service.admin.post('/admin/projects', { name: 'Near', slug: 'near' });
    await Promise.all(Array.from({ length: max }, (_, index) => service.as(`guess-${index}`).get('/admin/projects')));
    expect((await service.as('guess').get('/admin/projects')).status).toBe(429);
    expect((await service.as(project.body.secret_key).get('/admin/projects')).status).toBe(403);
  });
});

describe("guesses of the operator's key behind many wrong project keys", () => {
  it('stop at the limit all the same', async () => {
    const max = 5;
    const service = await startHttp(database, { failedAttempts: { max, windowMs: 3_600_000 } });
    const tries = async (prefix: string) => {
      for (let index = 0; index < max; index++) await service.as(`${prefix}${index}`).get('/admin/projects');
    };
    await tries('tg_sk_');
    await tries('guess-');
    expect((await service.as(ADMIN_KEY).get('/admin/projects')).status).toBe(429);
    await service.close();
  });
});

describe('a strong key of the operator', () => {
  it('is let in whatever strangers try from its address, as behind a proxy everybody has one', async () => {
    const adminKey = `tg_admin_${randomBytes(32).toString('hex')}`;
    const tollgate = await startTollgate({ adminKey, limits: { failedAttempts: { max: 5, windowMs: 3_600_000 } } });
    const statuses = [];
    for (let index = 0; index < 6; index++) {
      statuses.push((await tollgate.as(`guess-${index}`).get('/admin/projects')).status);
    }
    expect(statuses).toEqual([401, 401, 401, 401, 401, 429]);
    expect((await tollgate.admin.get('/admin/projects')).status).toBe(200);
    await tollgate.close();
  });
});

describe('a clock that is set back', () => {
  it('makes no key trusted for longer without being read again', async () => {
    const service = await startHttp(database);
    const project = await service.admin.post('/admin/projects', { name: 'Back', slug: 'back' });
    const app = service.as(project.body.secret_key);
    expect((await app.get('/admin/projects')).status).toBe(403);
    // Behind the service's back, so that nothing tells it.
    const revoke = 'update tollgate.api_keys set revoked_at = now() where project_id = $1';
    await database.pool.query(revoke, [project.body.id]);
    service.clock.advance(-3_600_000);
    expect((await app.get('/admin/projects')).status).toBe(401);
    await service.close();
  });
});

describe('failed attempts', () => {
  const limits = { max: 2, windowMs: 1_000 };
  const now = { now: () => 0 };

  it.each([
    ['2001:db8:1:2::1', '2001:db8:1:2:ffff:ffff:ffff:ffff', true],
    ['2001:db8:1:2::1', '2001:db8:1:3::1', false],
    ['2001:db8::1', '2001:db8:0:0:9::1', true],
    ['::1', '::2', true],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.2', false],
    ['192.0.2.1', '192.0.2.2', false],
  ])('of %s count for %s: %s', (failing, other, together) => {
    const failures = createFailedAttempts(now, limits);
    failures.count(failing, null);
    failures.count(failing, null);
    expect(failures.exceeded(failing)).toBe(true);
    expect(failures.exceeded(other)).toBe(together);
  });

  it('are forgiven no further than to nothing', () => {
    const failures = createFailedAttempts(now, limits);
    failures.forgive('192.0.2.1', 'a_key');
    failures.count('192.0.2.1', null);
    failures.forgive('192.0.2.1', 'a_key');
    failures.forgive('192.0.2.1', 'a_key');
    failures.count('192.0.2.1', null);
    expect(failures.exceeded('192.0.2.1')).toBe(false);
  });
});
