import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recordAudit } from '../../src/audit/record.ts';
import { verifyAuditChain } from '../../src/audit/verify.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type HttpService, startHttp } from '../support/http.ts';

let database: TestDatabase;
let service: HttpService;
let project: { id: string };

beforeAll(async () => {
  database = await createTestDatabase();
  service = await startHttp(database);
  project = (await service.admin.post('/admin/projects', { name: 'Audited', slug: 'audited' })).body;
});
afterAll(async () => {
  await service.close();
  await database.drop();
});

const act = (
  action: string,
  more: { projectId?: string; customerId?: string; detail?: Record<string, unknown> } = {},
) =>
  database.db
    .transaction()
    .execute((tx) =>
      recordAudit(
        tx,
        { actor: 'someone', keyId: 'key_1', requestId: 'req_1', action, projectId: project.id, detail: {}, ...more },
        Date.now(),
      ),
    );

describe('the audit trail', () => {
  test('names who did what, with which key and in which request', async () => {
    const { body } = await service.admin.patch(`/admin/projects/${project.id}`, { name: 'New name', actor: 'ada' });
    expect(body.name).toBe('New name');
    const trail = await service.admin.get(`/admin/audit?project_id=${project.id}`);
    expect(trail.body.data).toEqual([
      expect.objectContaining({
        object: 'audit_entry',
        id: expect.stringMatching(/^aud_/),
        action: 'project.updated',
        actor: 'ada',
        key_id: 'admin',
        request_id: expect.stringMatching(/^req_/),
        detail: { changes: { name: { before: 'Audited', after: 'New name' } } },
      }),
      expect.objectContaining({ action: 'project.created', actor: 'admin' }),
    ]);
  });

  test('keeps no entry of an act that failed', async () => {
    const before = await verifyAuditChain(database.db);
    const again = await service.admin.post('/admin/projects', { name: 'Again', slug: 'audited' });
    expect(again.status).toBe(409);
    await expect(
      database.db.transaction().execute(async (tx) => {
        await recordAudit(
          tx,
          { actor: 'a', keyId: null, requestId: null, action: 'never.happened', projectId: null, detail: {} },
          Date.now(),
        );
        throw new Error('rolled back');
      }),
    ).rejects.toThrow('rolled back');
    expect(await verifyAuditChain(database.db)).toEqual(before);
  });

  test('never holds a key', async () => {
    const key = (await service.admin.post(`/admin/projects/${project.id}/keys`, {})).body;
    const rows = await database.db.selectFrom('tollgate.audit_entries').selectAll().execute();
    expect(JSON.stringify(rows)).toContain(key.id);
    expect(JSON.stringify(rows)).not.toContain(key.key);
  });

  test('is found by project, customer, actor and action, page by page', async () => {
    await database.db
      .insertInto('tollgate.customers')
      .values({
        id: 'cust_1',
        project_id: project.id,
        external_id: 'u_42',
        email: null,
        name: null,
        stripe_customer_id: null,
      })
      .execute();
    await act('grant.created', { customerId: 'cust_1' });
    await act('grant.revoked', { customerId: 'cust_1' });
    const mine = await service.admin.get('/admin/audit?customer_id=u_42');
    expect(mine.body.data.map((entry: { action: string }) => entry.action)).toEqual(['grant.revoked', 'grant.created']);
    expect(mine.body.data[0]).toMatchObject({ customer_id: 'u_42', customer: 'cust_1' });
    expect((await service.admin.get('/admin/audit?customer_id=u_43')).body.data).toEqual([]);
    const both = `/admin/audit?customer_id=u_42&actor=someone&action=grant.created&project_id=${project.id}`;
    expect((await service.admin.get(both)).body.data).toHaveLength(1);
    const first = await service.admin.get('/admin/audit?customer_id=u_42&limit=1');
    expect(first.body.has_more).toBe(true);
    const second = await service.admin.get(`/admin/audit?customer_id=u_42&limit=1&cursor=${first.body.next_cursor}`);
    expect(second.body).toMatchObject({ has_more: false, next_cursor: null, data: [{ action: 'grant.created' }] });
  });

  test('refuses a cursor of another list', async () => {
    const cursor = Buffer.from('prj_1').toString('base64url');
    expect((await service.admin.get(`/admin/audit?cursor=${cursor}`)).status).toBe(400);
  });
});

describe('the chain of the audit trail', () => {
  test('is unbroken although many write at once', async () => {
    await Promise.all(Array.from({ length: 30 }, (_, i) => act('thing.done', { detail: { i, text: 'ü \u2028 "' } })));
    const verdict = await verifyAuditChain(database.db);
    expect(verdict).toMatchObject({ intact: true, head: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(verdict.entries).toBeGreaterThanOrEqual(30);
  });

  test('cannot be changed by the statements of the service', async () => {
    const { db } = database;
    await expect(db.updateTable('tollgate.audit_entries').set({ actor: 'nobody' }).execute()).rejects.toThrow(
      'append-only',
    );
    await expect(db.deleteFrom('tollgate.audit_entries').execute()).rejects.toThrow('append-only');
    await expect(sql`truncate tollgate.audit_entries`.execute(db)).rejects.toThrow('append-only');
  });

  test('shows an entry that was changed behind its back, and one that was removed', async () => {
    const copy = await createTestDatabase();
    try {
      for (const action of ['a.one', 'a.two', 'a.three', 'a.four']) {
        await copy.db
          .transaction()
          .execute((tx) =>
            recordAudit(
              tx,
              { actor: 'x', keyId: null, requestId: null, action, projectId: null, detail: { action } },
              Date.now(),
            ),
          );
      }
      await sql`alter table tollgate.audit_entries disable trigger all`.execute(copy.db);
      const changed = await copy.db
        .updateTable('tollgate.audit_entries')
        .set({ detail: JSON.stringify({ action: 'a.forged' }) })
        .where('action', '=', 'a.two')
        .returning(['id', 'position'])
        .executeTakeFirstOrThrow();
      expect(await verifyAuditChain(copy.db)).toEqual({
        intact: false,
        entries: 1,
        brokenAt: { id: changed.id, position: changed.position },
        why: 'changed',
      });
      await copy.db.deleteFrom('tollgate.audit_entries').where('action', '=', 'a.two').execute();
      expect(await verifyAuditChain(copy.db)).toMatchObject({ intact: false, why: 'not_linked' });
    } finally {
      await copy.drop();
    }
  });
});
