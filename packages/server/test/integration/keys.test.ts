import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SCOPES } from '../../src/platform/http/principal.ts';
import { Closed } from '../../src/platform/http/schemas.ts';
import { hashKey } from '../../src/projects/keys.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type HttpService, startHttp } from '../support/http.ts';
import { until } from '../support/until.ts';

let database: TestDatabase;
let service: HttpService;
/** A second process on the same database. */
let elsewhere: HttpService;
let project: { id: string; secret_key: string; publishable_key: string };

beforeAll(async () => {
  database = await createTestDatabase();
  [service, elsewhere] = await Promise.all([start(), start()]);
  project = (await service.admin.post('/admin/projects', { name: 'Keys', slug: 'keys' })).body;
});
afterAll(async () => {
  await Promise.all([service.close(), elsewhere.close()]);
  await database.drop();
});

function start() {
  return startHttp(database, { failedAttempts: { max: 1_000, windowMs: 60_000 } }, (app) => {
    app.get(
      '/api/v1/probe',
      { config: { access: { scope: 'entitlements:read' } }, schema: { querystring: Closed({}) } },
      async ({ principal }) => principal,
    );
  });
}

const keysPath = () => `/admin/projects/${project.id}/keys`;

async function createKey(body: Record<string, unknown> = {}) {
  const answer = await service.admin.post(keysPath(), body);
  expect(answer.status).toBe(201);
  return answer.body;
}

const probe = (key: string | null, at = service) => at.as(key).get('/probe');

describe('a key', () => {
  test('has every scope unless told otherwise', async () => {
    const key = await createKey({ name: 'backend' });
    expect(key).toMatchObject({
      object: 'key',
      kind: 'secret',
      name: 'backend',
      scopes: [...SCOPES],
      status: 'active',
      expires_at: null,
      project_id: project.id,
      hint: `tg_sk_…${key.key.slice(-4)}`,
    });
    expect((await probe(key.key)).body).toMatchObject({ kind: 'secret', keyId: key.id, projectId: project.id });
  });

  test('without a body is a secret key', async () => {
    expect((await service.admin.post(keysPath())).body).toMatchObject({ kind: 'secret' });
  });

  test('is never shown again', async () => {
    const key = await createKey();
    const list = await service.admin.get(`${keysPath()}?limit=100`);
    expect(list.body.data.map((each: { id: string }) => each.id)).toContain(key.id);
    expect(JSON.stringify(list.body)).not.toContain(key.key);
  });

  test('without the scope is refused with 403', async () => {
    const key = await createKey({ scopes: ['catalog:read'] });
    const answer = await probe(key.key);
    expect(answer.status).toBe(403);
    expect(answer.body).toMatchObject({ code: 'forbidden', detail: expect.stringContaining('entitlements:read') });
  });

  test('that is publishable is refused where only the catalog may be read', async () => {
    expect((await probe(project.publishable_key)).status).toBe(403);
  });

  test('of a project is refused on an admin route', async () => {
    expect((await service.as(project.secret_key).get('/admin/projects')).status).toBe(403);
  });

  test('stops at its expiry, also when it is remembered', async () => {
    const soon = new Date(service.clock.now() + 1_000).toISOString();
    const key = await createKey({ expires_at: soon });
    expect((await probe(key.key)).status).toBe(200);
    service.clock.advance(1_000);
    expect((await probe(key.key)).status).toBe(401);
    const list = await service.admin.get(`${keysPath()}?limit=100`);
    expect(list.body.data.find((each: { id: string }) => each.id === key.id).status).toBe('expired');
  });

  test.each([
    [{ expires_at: '2001-01-01T00:00:00Z' }, 'expires_at'],
    [{ expires_at: 'tomorrow' }, 'expires_at'],
    [{ expires_at: '2030-02-30T00:00:00Z' }, 'expires_at'],
    [{ expires_at: '2030-12-31T23:59:60Z' }, 'expires_at'],
    [{ scopes: [] }, 'scopes'],
    [{ scopes: ['everything'] }, 'scopes.0'],
    [{ scopes: ['catalog:read', 'catalog:read'] }, 'scopes'],
    [{ kind: 'publishable', scopes: ['catalog:read'] }, 'scopes'],
    [{ kind: 'admin' }, 'kind'],
  ])('%j is refused', async (body, path) => {
    const answer = await service.admin.post(keysPath(), body);
    expect(answer.status).toBe(400);
    expect(answer.body.errors).toContainEqual(expect.objectContaining({ path }));
  });
});

describe('a missing or bad key', () => {
  test.each([
    ['nothing', undefined],
    ['another scheme', 'Basic dXNlcjpwYXNz'],
    ['no key', 'Bearer '],
    ['an unknown key', `Bearer tg_sk_${randomBytes(32).toString('base64url')}`],
    ['garbage', 'Bearer !\u00ff{}"'],
    ['a very long key', `Bearer ${'x'.repeat(5_000)}`],
  ])('%s is 401 and says how to send one', async (_what, authorization) => {
    const answer = await service.as(null).get('/probe', authorization === undefined ? {} : { authorization });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toContain('Bearer');
    expect(answer.body.code).toBe('unauthorized');
  });
});

describe('revoking a key', () => {
  test('takes effect at once here, and within a second elsewhere', async () => {
    const key = await createKey();
    expect((await probe(key.key)).status).toBe(200);
    expect((await probe(key.key, elsewhere)).status).toBe(200);
    const answer = await service.admin.delete(`${keysPath()}/${key.id}`);
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ status: 'revoked', revoked_at: expect.any(String) });
    expect((await probe(key.key)).status).toBe(401);
    await until(async () => (await probe(key.key, elsewhere)).status === 401, 1_000);
  });

  test('again changes nothing', async () => {
    const key = await createKey();
    const first = await service.admin.delete(`${keysPath()}/${key.id}`);
    const second = await service.admin.delete(`${keysPath()}/${key.id}`);
    expect(second.body).toEqual(first.body);
    const trail = await service.admin.get(`/admin/audit?action=key.revoked&project_id=${project.id}`);
    const entries = trail.body.data.filter((entry: { detail: { key: string } }) => entry.detail.key === key.id);
    expect(entries).toHaveLength(1);
  });

  test('of another project is not found', async () => {
    const other = (await service.admin.post('/admin/projects', { name: 'Other', slug: 'keys-other' })).body;
    const [theirs] = (await service.admin.get(`/admin/projects/${other.id}/keys`)).body.data;
    const answer = await service.admin.delete(`${keysPath()}/${theirs.id}`);
    expect(answer.status).toBe(404);
    const none = await service.admin.delete(`${keysPath()}/key_none`);
    expect({ ...answer.body, request_id: '' }).toEqual({ ...none.body, request_id: '' });
    expect((await probe(other.secret_key)).status).toBe(200);
  });
});

describe('rotating a key', () => {
  test('without overlap ends the old one at once', async () => {
    const old = await createKey({ name: 'rotated', scopes: ['entitlements:read'] });
    const answer = await service.admin.post(`${keysPath()}/${old.id}/rotate`);
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({ name: 'rotated', scopes: ['entitlements:read'], replaces: { id: old.id } });
    expect((await probe(old.key)).status).toBe(401);
    expect((await probe(answer.body.key)).status).toBe(200);
  });

  test('with an overlap lets the old one work until then', async () => {
    const old = await createKey();
    expect((await probe(old.key)).status).toBe(200);
    const fresh = (await service.admin.post(`${keysPath()}/${old.id}/rotate`, { overlap_seconds: 60 })).body;
    expect(new Date(fresh.replaces.expires_at).getTime() - service.clock.now()).toBeGreaterThan(55_000);
    expect((await probe(old.key)).status).toBe(200);
    service.clock.advance(61_000);
    expect((await probe(old.key)).status).toBe(401);
    expect((await probe(fresh.key)).status).toBe(200);
  });

  test('does not lengthen the life of the old one', async () => {
    const expiry = new Date(service.clock.now() + 30_000).toISOString();
    const old = await createKey({ expires_at: expiry });
    const fresh = (await service.admin.post(`${keysPath()}/${old.id}/rotate`, { overlap_seconds: 3_600 })).body;
    expect(fresh.replaces.expires_at).toBe(expiry);
    expect(fresh.expires_at).toBe(expiry);
  });

  test('twice is a conflict, so that only one successor exists', async () => {
    const old = await createKey();
    const path = `${keysPath()}/${old.id}/rotate`;
    const answers = await Promise.all([1, 2, 3].map(() => service.admin.post(path, { overlap_seconds: 60 })));
    expect(answers.map((answer) => answer.status).sort()).toEqual([201, 409, 409]);
  });
});

describe('the last use of a key', () => {
  test('is kept off the path of requests, and at most once a minute', async () => {
    const key = await createKey();
    const lastUsed = async () => {
      const row = await database.db
        .selectFrom('tollgate.api_keys')
        .select('last_used_at')
        .where('id', '=', key.id)
        .executeTakeFirstOrThrow();
      return row.last_used_at;
    };
    expect(await lastUsed()).toBeNull();
    await probe(key.key);
    await until(async () => (await lastUsed()) !== null, 5_000);
    const first = await lastUsed();
    service.clock.advance(10_000);
    await probe(key.key);
    await service.authenticator.close();
    expect(await lastUsed()).toEqual(first);
    service.clock.advance(60_000);
    await probe(key.key);
    await service.authenticator.close();
    expect((await lastUsed())?.getTime()).toBeGreaterThan((first?.getTime() ?? 0) + 59_000);
  });
});

describe('an admin key of the database', () => {
  test('may do what the one of the environment may, in its own name', async () => {
    const key = `tg_admin_${randomBytes(32).toString('base64url')}`;
    await database.db
      .insertInto('tollgate.api_keys')
      .values({
        id: 'key_operator',
        project_id: null,
        kind: 'admin',
        name: 'operator',
        hash: hashKey(key),
        hint: 'tg_admin_…',
        expires_at: null,
        revoked_at: null,
        last_used_at: null,
        rotated_to: null,
      })
      .execute();
    const made = await service.as(key).post('/admin/projects', { name: 'By operator', slug: 'by-operator' });
    expect(made.status).toBe(201);
    const trail = await service.admin.get(`/admin/audit?project_id=${made.body.id}`);
    expect(trail.body.data[0]).toMatchObject({ actor: 'key:key_operator', key_id: 'key_operator' });
  });
});
