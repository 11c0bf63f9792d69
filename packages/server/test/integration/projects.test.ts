import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type HttpService, startHttp } from '../support/http.ts';

let database: TestDatabase;
let service: HttpService;

beforeAll(async () => {
  database = await createTestDatabase();
  service = await startHttp(database);
});
afterAll(async () => {
  await service.close();
  await database.drop();
});

async function createProject(slug: string) {
  const answer = await service.admin.post('/admin/projects', { name: `Project ${slug}`, slug });
  expect(answer.status).toBe(201);
  return answer.body;
}

describe('creating a project', () => {
  test('answers with its keys, which are shown this once, and the default policy', async () => {
    const project = await createProject('notes');
    expect(project).toMatchObject({
      object: 'project',
      id: expect.stringMatching(/^prj_/),
      name: 'Project notes',
      slug: 'notes',
      connection: 'default',
      secret_key: expect.stringMatching(/^tg_sk_[A-Za-z0-9_-]{43}$/),
      publishable_key: expect.stringMatching(/^tg_pk_[A-Za-z0-9_-]{43}$/),
      access_policy: {
        past_due_grace_days: 7,
        renewal_slack_hours: 72,
        pause_collection: 'grant',
        trial: 'grant',
        dispute: 'suspend',
        partial_refund: 'keep',
        subscription_refund: 'ignore',
        redirect_origins: [],
      },
    });
    const again = await service.admin.get(`/admin/projects/${project.id}`);
    expect(again.status).toBe(200);
    expect(again.body).not.toHaveProperty('secret_key');
    expect(again.body).not.toHaveProperty('publishable_key');
  });

  test('stores keys as hashes only', async () => {
    const project = await createProject('hashed');
    const rows = await database.db.selectFrom('tollgate.api_keys').selectAll().execute();
    expect(JSON.stringify(rows)).not.toContain(project.secret_key);
    expect(rows.every((row) => row.hash.length === 32)).toBe(true);
  });

  test('refuses a slug that is taken', async () => {
    await createProject('taken');
    const answer = await service.admin.post('/admin/projects', { name: 'Second', slug: 'taken' });
    expect(answer.status).toBe(409);
    expect(answer.body).toMatchObject({ code: 'slug_taken', errors: [{ path: 'slug', message: 'is taken' }] });
  });

  test.each([
    [{ name: 'No slug' }, 'slug'],
    [{ name: 'Upper', slug: 'Notes' }, 'slug'],
    [{ name: 'Hyphen', slug: '-notes' }, 'slug'],
    [{ name: 'Long', slug: 'a'.repeat(64) }, 'slug'],
    [{ name: ' ', slug: 'blank' }, 'name'],
    [{ name: 'Number', slug: 5 }, 'slug'],
    [{ name: 'Unknown', slug: 'unknown', colour: 'red' }, 'colour'],
    [{ name: 'Connection', slug: 'elsewhere', connection: 'nowhere' }, 'connection'],
  ])('refuses %j and names %s', async (body, path) => {
    const answer = await service.admin.post('/admin/projects', body);
    expect(answer.status).toBe(400);
    expect(answer.body.code).toBe('invalid_request');
    expect(answer.body.errors).toContainEqual(expect.objectContaining({ path }));
  });
});

describe('listing projects', () => {
  test('goes through all of them page by page, newest first', async () => {
    const made = [];
    for (const slug of ['page-1', 'page-2', 'page-3']) made.push((await createProject(slug)).id);
    const first = await service.admin.get('/admin/projects?limit=2');
    expect(first.body.data.map((project: { id: string }) => project.id)).toEqual([made[2], made[1]]);
    expect(first.body).toMatchObject({ object: 'list', has_more: true });
    const second = await service.admin.get(`/admin/projects?limit=2&cursor=${first.body.next_cursor}`);
    expect(second.body.data[0].id).toBe(made[0]);
  });

  test.each(['limit=0', 'limit=101', 'limit=1.5', 'limit=ten', 'cursor=%F0%9F%92%A9', 'page=2'])(
    'refuses ?%s',
    async (query) => {
      const answer = await service.admin.get(`/admin/projects?${query}`);
      expect(answer.status).toBe(400);
      expect(answer.body.code).toBe('invalid_request');
    },
  );
});

describe('updating a project', () => {
  test('changes what is sent and keeps the rest', async () => {
    const { id } = await createProject('patched');
    const answer = await service.admin.patch(`/admin/projects/${id}`, {
      name: 'Renamed',
      access_policy: { past_due_grace_days: 3, redirect_origins: ['https://app.example.com', 'http://localhost:5173'] },
    });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      name: 'Renamed',
      slug: 'patched',
      access_policy: {
        past_due_grace_days: 3,
        renewal_slack_hours: 72,
        redirect_origins: ['https://app.example.com', 'http://localhost:5173'],
      },
    });
    expect((await service.admin.get(`/admin/projects/${id}`)).body).toEqual(answer.body);
  });

  test('a policy that changes access raises the catalog version and asks for recomputation', async () => {
    const { id } = await createProject('recomputed');
    const before = await catalogVersion(id);
    await service.admin.patch(`/admin/projects/${id}`, { access_policy: { dispute: 'keep' } });
    expect(await catalogVersion(id)).toBe(before + 1);
    expect(service.recomputations.filter((request) => request.projectId === id)).toEqual([
      { projectId: id, cause: { type: 'policy', id: expect.stringMatching(/^aud_/) } },
    ]);
  });

  test.each([
    ['past_due_grace_days', 7, 3],
    ['renewal_slack_hours', 72, 0],
    ['pause_collection', 'grant', 'deny'],
    ['trial', 'grant', 'deny'],
    ['dispute', 'suspend', 'keep'],
    ['partial_refund', 'keep', 'revoke'],
    ['subscription_refund', 'ignore', 'revoke_period'],
  ])(
    '%s is changed alone, on record with before and after, and recomputes whom it touches',
    async (setting, was, is) => {
      const { id } = await createProject(`policy-${setting.replaceAll('_', '-')}`);
      const answer = await service.admin.patch(`/admin/projects/${id}`, { access_policy: { [setting]: is } });
      expect(answer.status).toBe(200);
      expect(answer.body.access_policy[setting]).toBe(is);
      const [entry] = (await service.admin.get(`/admin/audit?project_id=${id}`)).body.data;
      expect(entry).toMatchObject({ action: 'project.updated' });
      expect(entry.detail.changes).toEqual({ [setting]: { before: was, after: is } });
      expect(service.recomputations.filter((request) => request.projectId === id)).toEqual([
        { projectId: id, cause: { type: 'policy', id: entry.id } },
      ]);
    },
  );

  test('a new name or new redirect origins change nobody’s access', async () => {
    const { id } = await createProject('unaffected');
    await service.admin.patch(`/admin/projects/${id}`, { name: 'Other' });
    await service.admin.patch(`/admin/projects/${id}`, { access_policy: { redirect_origins: ['https://a.example'] } });
    expect(service.recomputations.filter((request) => request.projectId === id)).toEqual([]);
  });

  test('the same again changes nothing and leaves no trace', async () => {
    const { id } = await createProject('same');
    await service.admin.patch(`/admin/projects/${id}`, { name: 'Project same', access_policy: { dispute: 'suspend' } });
    const trail = await service.admin.get(`/admin/audit?project_id=${id}`);
    expect(trail.body.data.map((entry: { action: string }) => entry.action)).toEqual(['project.created']);
  });

  test.each([
    [{ past_due_grace_days: -1 }, 'access_policy.past_due_grace_days'],
    [{ past_due_grace_days: 91 }, 'access_policy.past_due_grace_days'],
    [{ past_due_grace_days: '7' }, 'access_policy.past_due_grace_days'],
    [{ renewal_slack_hours: 0.5 }, 'access_policy.renewal_slack_hours'],
    [{ dispute: 'ignore' }, 'access_policy.dispute'],
    [{ trial: 'maybe' }, 'access_policy.trial'],
    [{ subscription_refund: 'revoke' }, 'access_policy.subscription_refund'],
    [{ pastDueGraceDays: 3 }, 'access_policy.pastDueGraceDays'],
    [{ redirect_origins: ['http://app.example.com'] }, 'access_policy.redirect_origins.0'],
    [{ redirect_origins: ['https://ok.example', 'https://app.example.com/path'] }, 'access_policy.redirect_origins.1'],
    [{ redirect_origins: ['javascript:alert(1)'] }, 'access_policy.redirect_origins.0'],
    [{ redirect_origins: ['https://app.example.com/'] }, 'access_policy.redirect_origins.0'],
    [{ redirect_origins: ['https://user:word@app.example.com'] }, 'access_policy.redirect_origins.0'],
    [{ redirect_origins: ['app.example.com'] }, 'access_policy.redirect_origins.0'],
  ])('refuses the policy %j and names %s', async (access_policy, path) => {
    const { id } = (await service.admin.get('/admin/projects?limit=1')).body.data[0];
    const answer = await service.admin.patch(`/admin/projects/${id}`, { access_policy });
    expect(answer.status).toBe(400);
    expect(answer.body.errors).toContainEqual(expect.objectContaining({ path }));
  });

  test('a project that does not exist is not found', async () => {
    for (const answer of [
      await service.admin.get('/admin/projects/prj_none'),
      await service.admin.patch('/admin/projects/prj_none', { name: 'x' }),
      await service.admin.get('/admin/projects/prj_none/keys'),
      await service.admin.post('/admin/projects/prj_none/keys', {}),
    ]) {
      expect(answer.status).toBe(404);
      expect(answer.body.code).toBe('not_found');
    }
  });
});

async function catalogVersion(id: string): Promise<number> {
  const row = await database.db
    .selectFrom('tollgate.projects')
    .select('catalog_version')
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  return row.catalog_version;
}
