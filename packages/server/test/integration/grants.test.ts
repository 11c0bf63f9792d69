import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyAuditChain } from '../../src/audit/verify.ts';
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
const revoke = (body: Record<string, unknown>) => service.admin.post('/admin/revoke', { reason: 'A test', ...body });
const byFeature = (customerId: string, feature: string) => ({
  project_id: project.id,
  customer_id: customerId,
  feature,
});
const entitled = async (customerId: string, feature: string) =>
  (await project.check(customerId, feature)).body.entitled as boolean;
const auditOf = async (customerId: string) =>
  (await service.admin.get(`/admin/audit?project_id=${project.id}&customer_id=${customerId}`)).body.data;

describe('a grant', () => {
  test('is seen by the next check, of a customer never seen before', async () => {
    expect(await entitled('g_1', 'pro_export')).toBe(false);
    const { status, body } = await project.grant('g_1', 'pro_export', { reason: 'Conference', actor: 'ada' });
    expect(await entitled('g_1', 'pro_export')).toBe(true);
    expect(status).toBe(201);
    expect(body).toEqual({
      object: 'grant',
      id: expect.stringMatching(/^grant_/),
      project_id: project.id,
      customer_id: 'g_1',
      feature: 'pro_export',
      effect: 'allow',
      value: null,
      unlimited: false,
      valid_from: expect.any(String),
      valid_to: null,
      reason: 'Conference',
      actor: 'ada',
      created_at: expect.any(String),
      revoked_at: null,
      revoked_by: null,
      revoke_reason: null,
    });
  });

  test('is made once, although nobody heard that the first try was committed, and anew a day later', async () => {
    const body = { ...byFeature('g_repeat', 'pro_export'), reason: 'A test' };
    const grant = async () => {
      const made = await service.admin.post('/admin/grant', body, { 'idempotency-key': 'a-lost-answer' });
      // What becomes of the key when the connection breaks at the commit, or the process dies right after it.
      await service.db.deleteFrom('tollgate.idempotency_keys').execute();
      return made.body.id;
    };
    const first = await grant();
    expect(await grant()).toBe(first);
    expect(await auditOf('g_repeat')).toHaveLength(1);
    const created_at = new Date(service.clock.now() - DAY_MS);
    await service.db.updateTable('tollgate.grants').set({ created_at }).where('id', '=', first).execute();
    expect(await grant()).not.toBe(first);
  });

  test('is seen by every check that follows it, time and again', async () => {
    for (let round = 0; round < 20; round++) {
      const granted = await project.grant('g_again', 'pro_export');
      expect(await entitled('g_again', 'pro_export'), `round ${round}`).toBe(true);
      await revoke({ grant_id: granted.body.id });
      expect(await entitled('g_again', 'pro_export'), `round ${round}`).toBe(false);
    }
  });

  test('is audited with its actor and reason', async () => {
    const { body } = await project.grant('g_2', 'seats', { value: 3, reason: 'Support case 7', actor: 'ada' });
    expect(await auditOf('g_2')).toEqual([
      expect.objectContaining({
        action: 'grant.created',
        actor: 'ada',
        key_id: 'admin',
        reason: 'Support case 7',
        customer_id: 'g_2',
        project_id: project.id,
        detail: expect.objectContaining({ grant: body.id, feature: 'seats', effect: 'allow', value: 3 }),
      }),
    ]);
  });

  test('without an actor is done by the key', async () => {
    expect((await project.grant('g_3', 'pro_export')).body.actor).toBe('admin');
  });

  test('that repeats with its Idempotency-Key is made once', async () => {
    const send = () =>
      service.admin.post(
        '/admin/grant',
        { ...byFeature('g_4', 'api_calls'), value: 10, reason: 'Once' },
        { 'idempotency-key': 'grant-g4' },
      );
    const [first, second] = [await send(), await send()];
    expect(second.body).toEqual(first.body);
    expect(second.headers.get('idempotent-replayed')).toBe('true');
    expect((await project.check('g_4', 'api_calls')).body.value).toBe(10);
  });

  test.each([
    ['no reason', { reason: undefined }, 'reason'],
    ['an empty reason', { reason: '' }, 'reason'],
    ['an unknown feature', { feature: 'nonsense' }, 'feature'],
    ['a feature that is no code', { feature: 'Not A Code' }, 'feature'],
    ['a value for a boolean', { value: 1 }, 'value'],
    ['a boolean without limit', { unlimited: true }, 'unlimited'],
    ['a limit without an amount', { feature: 'seats' }, 'value'],
    ['a limit with two amounts', { feature: 'seats', value: 1, unlimited: true }, 'value'],
    ['a negative amount', { feature: 'seats', value: -1 }, 'value'],
    ['half an amount', { feature: 'seats', value: 1.5 }, 'value'],
    ['an amount that no integer holds', { feature: 'seats', value: 2 ** 53 }, 'value'],
    ['an amount as text', { feature: 'seats', value: '5' }, 'value'],
    ['a deny with an amount', { feature: 'seats', effect: 'deny', value: 0 }, 'value'],
    ['an effect that there is not', { effect: 'maybe' }, 'effect'],
    ['an end in the past', { valid_to: '2020-01-01T00:00:00Z' }, 'valid_to'],
    ['an end before its start', { valid_from: '2030-01-02T00:00:00Z', valid_to: '2030-01-01T00:00:00Z' }, 'valid_to'],
    ['an end at its start', { valid_from: '2030-01-01T00:00:00Z', valid_to: '2030-01-01T00:00:00Z' }, 'valid_to'],
    ['a moment that is none', { valid_from: '2026-02-30T00:00:00Z' }, 'valid_from'],
    ['a date without a time', { valid_to: '2030-01-01' }, 'valid_to'],
    ['a customer id with a control character', { customer_id: 'a\u0007' }, 'customer_id'],
    ['no project', { project_id: undefined }, 'project_id'],
    ['an unknown field', { quantity: 1 }, 'quantity'],
  ])('is refused with %s, and leaves no trace', async (_, more, field) => {
    const { status, body } = await project.grant('g_refused', 'pro_export', more);
    expect(status).toBe(400);
    expect(body.code).toBe('invalid_request');
    expect(body.errors.map((error: { path: string }) => error.path)).toContain(field);
    expect((await project.app.get('/entitlements/history?customer_id=g_refused')).body.data).toEqual([]);
    expect(await auditOf('g_refused')).toEqual([]);
  });

  test('for a project that there is not is 404', async () => {
    const { status, body } = await project.grant('g_5', 'pro_export', { project_id: 'prj_none' });
    expect([status, body.code]).toEqual([404, 'not_found']);
  });

  test("takes an operator's key alone", async () => {
    const body = { ...byFeature('g_6', 'pro_export'), reason: 'Mine' };
    expect((await project.app.post('/admin/grant', body)).status).toBe(403);
    expect((await project.app.post('/admin/revoke', body)).status).toBe(403);
    expect((await service.as(null).post('/admin/grant', body)).status).toBe(401);
    expect(await entitled('g_6', 'pro_export')).toBe(false);
  });
});

describe('twenty grants to one customer at once', () => {
  test('are all kept, each as a version of its own', async () => {
    const granted = await Promise.all(
      Array.from({ length: 20 }, () => project.grant('g_crowd', 'api_calls', { value: 1 })),
    );
    expect(granted.map(({ status }) => status)).toEqual(Array(20).fill(201));
    expect((await project.check('g_crowd', 'api_calls')).body).toMatchObject({ value: 20, version: 20 });
    const history = await project.app.get('/entitlements/history?customer_id=g_crowd&limit=100');
    const versions = history.body.data.map(({ version }: { version: number }) => version);
    expect(versions).toEqual(Array.from({ length: 20 }, (_, i) => 20 - i));
    const recorded = history.body.data.map((one: { recorded_at: string }) => one.recorded_at);
    expect(recorded).toEqual(recorded.toSorted().reverse());
    const causes = history.body.data.map((one: { cause: { id: string } }) => one.cause.id);
    expect(causes.toSorted()).toEqual(granted.map(({ body }) => body.id).toSorted());
    expect(await verifyAuditChain(service.db)).toMatchObject({ intact: true });
  });

  test('and revocations among them leave exactly what was not revoked', async () => {
    const first = await Promise.all(
      Array.from({ length: 10 }, () => project.grant('g_both', 'api_calls', { value: 1 })),
    );
    await Promise.all([
      ...first.map(({ body }) => revoke({ grant_id: body.id })),
      ...Array.from({ length: 10 }, () => project.grant('g_both', 'api_calls', { value: 100 })),
    ]);
    expect((await project.check('g_both', 'api_calls')).body).toMatchObject({ value: 1_000, version: 30 });
  });
});

describe('a deny', () => {
  test('beats every other source for as long as it holds', async () => {
    await project.grant('d_1', 'seats', { unlimited: true });
    const denied = await project.grant('d_1', 'seats', { effect: 'deny', valid_to: inDays(2), reason: 'Abuse' });
    expect(denied.status).toBe(201);
    expect((await project.check('d_1', 'seats')).body).toMatchObject({ entitled: false, reason: 'denied' });
    expect((await project.app.get('/entitlements?customer_id=d_1')).body.entitlements).toEqual({});
    await project.grant('d_1', 'seats', { value: 100 });
    expect(await entitled('d_1', 'seats')).toBe(false);
    service.clock.advance(2 * DAY_MS + 1);
    expect((await project.check('d_1', 'seats')).body).toMatchObject({ entitled: true, unlimited: true });
  });

  test('is kept by a revocation of the feature, and lifted by its id', async () => {
    await project.grant('d_2', 'pro_export');
    const denied = await project.grant('d_2', 'pro_export', { effect: 'deny' });
    const byName = await revoke(byFeature('d_2', 'pro_export'));
    expect(byName.body.revoked.map(({ effect }: { effect: string }) => effect)).toEqual(['allow']);
    expect(byName.body).toMatchObject({ still_entitled: false, remaining_sources: [] });
    await project.grant('d_2', 'pro_export');
    expect(await entitled('d_2', 'pro_export')).toBe(false);
    const byId = await revoke({ grant_id: denied.body.id });
    expect(byId.body).toMatchObject({ still_entitled: true, remaining_sources: [{ type: 'grant' }] });
    expect(await entitled('d_2', 'pro_export')).toBe(true);
  });
});

describe('a revocation', () => {
  test('of one grant leaves the others, and names them', async () => {
    const gone = await project.grant('r_1', 'seats', { value: 9 });
    const left = await project.grant('r_1', 'seats', { value: 2 });
    const { status, body } = await revoke({ grant_id: gone.body.id, reason: 'Typo', actor: 'bob' });
    expect(status).toBe(200);
    expect(body).toEqual({
      object: 'revocation',
      revoked: [{ ...gone.body, revoked_at: expect.any(String), revoked_by: 'bob', revoke_reason: 'Typo' }],
      still_entitled: true,
      remaining_sources: [{ type: 'grant', id: left.body.id, reason: 'grant' }],
    });
    expect((await project.check('r_1', 'seats')).body.value).toBe(2);
    expect((await auditOf('r_1'))[0]).toMatchObject({
      action: 'grant.revoked',
      actor: 'bob',
      reason: 'Typo',
      detail: { grant: gone.body.id, feature: 'seats' },
    });
  });

  test('of a feature takes every grant of it, those to come among them, and none of another', async () => {
    const grants = [
      await project.grant('r_2', 'seats', { value: 1 }),
      await project.grant('r_2', 'seats', { value: 2, valid_from: inDays(3) }),
    ];
    await project.grant('r_2', 'pro_export');
    const { body } = await revoke(byFeature('r_2', 'seats'));
    expect(body.revoked.map(({ id }: { id: string }) => id)).toEqual(grants.map((grant) => grant.body.id));
    expect(body).toMatchObject({ still_entitled: false, remaining_sources: [] });
    service.clock.advance(4 * DAY_MS);
    expect((await project.check('r_2', 'seats')).body).toMatchObject({ entitled: false, reason: 'revoked' });
    expect(await entitled('r_2', 'pro_export')).toBe(true);
    expect((await auditOf('r_2')).filter(({ action }: { action: string }) => action === 'grant.revoked')).toHaveLength(
      2,
    );
  });

  test('that is repeated changes nothing', async () => {
    const granted = await project.grant('r_3', 'pro_export');
    const first = await revoke({ grant_id: granted.body.id, reason: 'First' });
    const again = await revoke({ grant_id: granted.body.id, reason: 'Second' });
    expect(again.status).toBe(200);
    expect(again.body).toEqual(first.body);
    expect((await project.check('r_3', 'pro_export')).body.version).toBe(2);
    expect(await auditOf('r_3')).toHaveLength(2);
    expect((await revoke(byFeature('r_3', 'pro_export'))).body.revoked).toEqual([]);
  });

  test('at once by two is done by one of them', async () => {
    const granted = await project.grant('r_4', 'pro_export');
    const both = await Promise.all([1, 2].map(() => revoke({ grant_id: granted.body.id })));
    expect(both.map(({ status }) => status)).toEqual([200, 200]);
    expect(both[0]?.body).toEqual(both[1]?.body);
    expect(await auditOf('r_4')).toHaveLength(2);
  });

  test('changes nothing of what was', async () => {
    const granted = await project.grant('r_5', 'pro_export');
    const during = new Date(service.clock.now()).toISOString();
    service.clock.advance(DAY_MS);
    await revoke({ grant_id: granted.body.id });
    const then = await project.app.get(`/explain?customer_id=r_5&feature=pro_export&as_of=${during}`);
    expect(then.body).toMatchObject({ entitled: true, reason: 'grant' });
  });

  test.each([
    ['a grant that there is not', () => ({ grant_id: 'grant_none' }), 404],
    ['a customer that there is not', () => byFeature('nobody', 'pro_export'), 404],
    ['a project that there is not', () => ({ ...byFeature('r_1', 'seats'), project_id: 'prj_none' }), 404],
    ["another project's customer", () => ({ ...byFeature('r_1', 'seats'), project_id: other.id }), 404],
    ['a feature that there is not', () => byFeature('r_1', 'nonsense'), 400],
    ['nothing', () => ({}), 400],
    ['a customer without a feature', () => ({ project_id: project.id, customer_id: 'r_1' }), 400],
    ['a grant and a feature', () => ({ grant_id: 'grant_none', ...byFeature('r_1', 'seats') }), 400],
    ['a grant without a reason', () => ({ grant_id: 'grant_none', reason: '' }), 400],
    ['an unknown field', () => ({ grant_id: 'grant_none', force: true }), 400],
  ])('of %s is refused', async (_, body, status) => {
    expect((await revoke(body())).status).toBe(status);
  });
});
