import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { registerFeatureRoutes } from '../../src/catalog/feature-routes.ts';
import type { Client } from '../support/client.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type HttpService, movableClock, startHttp } from '../support/http.ts';

let database: TestDatabase;
let service: HttpService;
let project: { id: string; secret_key: string; publishable_key: string };
let other: typeof project;
let secret: Client;

beforeAll(async () => {
  database = await createTestDatabase({ max: 25 });
  const deps = { db: database.db, clock: movableClock() };
  service = await startHttp(database, {}, (app) => registerFeatureRoutes(app, deps));
  project = (await service.admin.post('/admin/projects', { name: 'One', slug: 'one' })).body;
  other = (await service.admin.post('/admin/projects', { name: 'Two', slug: 'two' })).body;
  secret = service.as(project.secret_key);
});
afterAll(async () => {
  await service.close();
  await database.drop();
});

async function catalogVersion(): Promise<number> {
  const query = database.db.selectFrom('tollgate.projects').select('catalog_version').where('id', '=', project.id);
  return (await query.executeTakeFirstOrThrow()).catalog_version;
}

describe('creating a feature', () => {
  test('answers with it, bumps the catalog and leaves a trace', async () => {
    const before = await catalogVersion();
    const made = await secret.post('/features', { code: 'pro_export', name: 'Export', type: 'boolean' });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      object: 'feature',
      code: 'pro_export',
      name: 'Export',
      type: 'boolean',
      aggregation: 'max',
      description: null,
    });
    expect(await catalogVersion()).toBe(before + 1);
    const audit = await service.admin.get(`/admin/audit?project_id=${project.id}&action=feature.created`);
    expect(audit.body.data[0].detail).toEqual({ code: 'pro_export', type: 'boolean', aggregation: 'max' });
    expect((await secret.get('/features/pro_export')).body).toEqual(made.body);
  });

  test('takes an aggregation for a limit', async () => {
    const made = await secret.post('/features', { code: 'seats', name: 'Seats', type: 'limit', aggregation: 'sum' });
    expect(made.body).toMatchObject({ type: 'limit', aggregation: 'sum' });
  });

  test.each([
    [{ code: 'Export', name: 'n', type: 'boolean' }, 'code'],
    [{ code: '1st', name: 'n', type: 'boolean' }, 'code'],
    [{ code: 'a'.repeat(65), name: 'n', type: 'boolean' }, 'code'],
    [{ name: 'n', type: 'boolean' }, 'code'],
    [{ code: 'ok', name: ' ', type: 'boolean' }, 'name'],
    [{ code: 'ok', name: 'n', type: 'switch' }, 'type'],
    [{ code: 'ok', name: 'n', type: 'metered' }, 'type'],
    [{ code: 'ok', name: 'n', type: 'boolean', aggregation: 'sum' }, 'aggregation'],
    [{ code: 'ok', name: 'n', type: 'limit', aggregation: 'min' }, 'aggregation'],
    [{ code: 'ok', name: 'n', type: 'boolean', colour: 'red' }, 'colour'],
    [{ code: 'ok', name: 'n', type: 'boolean', project_id: 'prj_x' }, 'project_id'],
  ])('refuses %j and names %s', async (body, path) => {
    const answer = await secret.post('/features', body);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ code: 'invalid_request', errors: [expect.objectContaining({ path })] });
    expect((await secret.get('/features/ok')).status).toBe(404);
  });

  test('of twenty who want the same code together lets one have it', async () => {
    const body = { code: 'contended', name: 'n', type: 'boolean' };
    const answers = await Promise.all(Array.from({ length: 20 }, () => secret.post('/features', body)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    const refused = answers.filter(({ status }) => status === 409);
    expect(refused).toHaveLength(19);
    expect(refused[0]?.body.code).toBe('feature_exists');
  });

  test('is repeated once with an Idempotency-Key', async () => {
    const body = { code: 'repeated', name: 'n', type: 'boolean' };
    const first = await secret.post('/features', body, { 'idempotency-key': 'feature-1' });
    const second = await secret.post('/features', body, { 'idempotency-key': 'feature-1' });
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(second.headers.get('idempotent-replayed')).toBe('true');
  });
});

describe('a feature', () => {
  test('changes its name and description, and never its type', async () => {
    await secret.post('/features', { code: 'renamed', name: 'Old', type: 'boolean' });
    const changed = await secret.patch('/features/renamed', { name: 'New', description: 'Said better' });
    expect(changed.status).toBe(200);
    expect(changed.body).toMatchObject({ name: 'New', description: 'Said better' });
    expect((await secret.patch('/features/renamed', { description: null })).body.description).toBeNull();
    for (const body of [{ type: 'limit' }, { aggregation: 'sum' }, { code: 'other' }]) {
      expect((await secret.patch('/features/renamed', body)).status).toBe(400);
    }
  });

  test('that does not exist, and one of another project, look the same', async () => {
    await service.as(other.secret_key).post('/features', { code: 'theirs', name: 'n', type: 'boolean' });
    for (const send of [
      (code: string) => secret.get(`/features/${code}`),
      (code: string) => secret.patch(`/features/${code}`, { name: 'x' }),
    ]) {
      const [missing, theirs] = [await send('missing'), await send('theirs')];
      expect(missing.status).toBe(404);
      expect({ ...theirs.body, request_id: '' }).toEqual({ ...missing.body, request_id: '' });
    }
  });
});

describe('the list of features', () => {
  test('comes in pages, in order of codes, without those of others', async () => {
    const codes: string[] = [];
    for (let cursor = ''; ; ) {
      const { body } = await secret.get(`/features?limit=2${cursor && `&cursor=${cursor}`}`);
      expect(body.object).toBe('list');
      codes.push(...body.data.map((feature: { code: string }) => feature.code));
      if (!body.has_more) break;
      cursor = body.next_cursor;
    }
    expect(codes).toContain('pro_export');
    expect(codes).not.toContain('theirs');
    expect(codes).toHaveLength(new Set(codes).size);
    const all = await database.db
      .selectFrom('tollgate.features')
      .select('code')
      .where('project_id', '=', project.id)
      .execute();
    expect(codes).toHaveLength(all.length);
  });
});

describe('who may', () => {
  test('an admin key names the project, in query or body', async () => {
    const admin = service.admin;
    expect((await admin.get('/features')).status).toBe(400);
    expect((await admin.get('/features?project_id=prj_missing')).status).toBe(404);
    expect((await admin.get(`/features?project_id=${project.id}`)).status).toBe(200);
    const body = { project_id: project.id, code: 'by_admin', name: 'n', type: 'boolean' };
    expect((await admin.post('/features', body)).status).toBe(201);
    expect((await secret.get('/features/by_admin')).status).toBe(200);
  });

  test('a publishable key only reads', async () => {
    const publishable = service.as(project.publishable_key);
    expect((await publishable.get('/features')).status).toBe(200);
    expect((await publishable.get('/features/pro_export')).status).toBe(200);
    expect((await publishable.post('/features', { code: 'x', name: 'n', type: 'boolean' })).status).toBe(403);
    expect((await publishable.patch('/features/pro_export', { name: 'x' })).status).toBe(403);
  });

  test('a secret key needs the scope', async () => {
    const scoped = await service.admin.post(`/admin/projects/${project.id}/keys`, { scopes: ['catalog:read'] });
    const reader = service.as(scoped.body.key);
    expect((await reader.get('/features')).status).toBe(200);
    expect((await reader.post('/features', { code: 'x', name: 'n', type: 'boolean' })).status).toBe(403);
    expect((await service.as(null).get('/features')).status).toBe(401);
  });
});
