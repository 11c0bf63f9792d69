import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import {
  createTestProject,
  type EntitlementsService,
  startEntitlements,
  type TestProject,
} from '../support/entitlements-app.ts';

let database: TestDatabase;
let service: EntitlementsService;
let project: TestProject;

beforeAll(async () => {
  database = await createTestDatabase();
  service = await startEntitlements(database.url);
  project = await createTestProject(service);
});
afterAll(async () => {
  await service.close();
  await database.drop();
});

const history = async (customerId: string, more = '') =>
  (await project.app.get(`/entitlements/history?customer_id=${customerId}${more}`)).body;

describe('the history of entitlements', () => {
  test('of a customer never seen is empty', async () => {
    expect(await history('nobody')).toEqual({ object: 'list', data: [], has_more: false, next_cursor: null });
  });

  test('says when each version came, what it changed, and what brought it about', async () => {
    const granted = await project.grant('h_1', 'seats', { value: 5 });
    service.clock.advance(60_000);
    const raised = await project.grant('h_1', 'seats', { value: 8 });
    service.clock.advance(60_000);
    await service.admin.post('/admin/revoke', {
      project_id: project.id,
      customer_id: 'h_1',
      feature: 'seats',
      reason: 'Over',
    });
    const { data } = await history('h_1');
    const decision = (entitled: boolean, value: number | null, reason: string) => ({
      entitled,
      value,
      unlimited: false,
      reason,
      valid_to: null,
    });
    expect(data).toEqual([
      {
        object: 'snapshot_version',
        customer_id: 'h_1',
        version: 3,
        recorded_at: expect.any(String),
        cause: { type: 'revocation', id: granted.body.id },
        changes: [
          {
            feature: 'seats',
            change: 'lost',
            before: decision(true, 8, 'grant'),
            after: decision(false, null, 'revoked'),
          },
        ],
      },
      expect.objectContaining({
        version: 2,
        cause: { type: 'grant', id: raised.body.id },
        changes: [
          {
            feature: 'seats',
            change: 'changed',
            before: decision(true, 5, 'grant'),
            after: decision(true, 8, 'grant'),
          },
        ],
      }),
      expect.objectContaining({
        version: 1,
        recorded_at: granted.body.created_at,
        cause: { type: 'grant', id: granted.body.id },
        changes: [
          {
            feature: 'seats',
            change: 'gained',
            before: decision(false, null, 'no_source'),
            after: decision(true, 5, 'grant'),
          },
        ],
      }),
    ]);
  });

  test('keeps a version that only changes what is to come', async () => {
    const from = new Date(service.clock.now() + 86_400_000).toISOString();
    await project.grant('h_2', 'seats', { value: 1 });
    await project.grant('h_2', 'seats', { value: 9, valid_from: from });
    const { data } = await history('h_2');
    expect(data[0]).toMatchObject({ version: 2, changes: [] });
  });

  test('comes in pages', async () => {
    for (let i = 0; i < 5; i++) await project.grant('h_3', 'api_calls', { value: 1 });
    const seen: number[] = [];
    let cursor: string | null = '';
    do {
      const page = await history('h_3', `&limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
      expect(page.data.length).toBeLessThanOrEqual(2);
      seen.push(...page.data.map(({ version }: { version: number }) => version));
      cursor = page.next_cursor;
      expect(page.has_more).toBe(cursor !== null);
    } while (cursor !== null);
    expect(seen).toEqual([5, 4, 3, 2, 1]);
  });

  test("is read with an operator's key that names the project", async () => {
    const { body } = await service.admin.get(`/entitlements/history?customer_id=h_3&project_id=${project.id}`);
    expect(body.data).toHaveLength(5);
    expect((await service.admin.get('/entitlements/history?customer_id=h_3&project_id=prj_none')).status).toBe(404);
    expect((await service.admin.get('/explain?customer_id=h_3&feature=seats&project_id=prj_none')).status).toBe(404);
  });
});
