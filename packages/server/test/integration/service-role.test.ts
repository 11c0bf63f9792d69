/** Migrations by an owner, the service as a role that owns nothing. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordAudit } from '../../src/audit/record.ts';
import { connectDatabase, type DatabaseHandle } from '../../src/platform/database.ts';
import { enqueue, startJobs, type Task } from '../../src/platform/jobs.ts';
import { createLog } from '../../src/platform/log.ts';
import { migrate } from '../../src/platform/migrate.ts';
import { grantToServiceRole } from '../../src/platform/service-role.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';

const log = createLog('silent');
const role = `tollgate_service_${randomBytes(4).toString('hex')}`;
let owner: TestDatabase;
let service: DatabaseHandle;

beforeAll(async () => {
  owner = await createTestDatabase({ empty: true });
  await owner.pool.query(`create role ${role} login password 'of no use outside of this test'`);
  const url = new URL(owner.url);
  url.username = role;
  url.password = encodeURIComponent('of no use outside of this test');
  await migrate(owner.pool, { log });
  await grantToServiceRole(owner.pool, { connectionString: url.href });
  // A second start finds everything in place.
  await grantToServiceRole(owner.pool, { connectionString: url.href });
  service = connectDatabase({ connectionString: url.href }, { log, max: 6 });
});
afterAll(async () => {
  await service.close();
  await owner.pool.query(`drop owned by ${role}; drop role ${role}`);
  await owner.drop();
});

describe("the service's own role", () => {
  it('writes the audit trail and cannot rewrite it', async () => {
    await service.db
      .transaction()
      .execute((tx) =>
        recordAudit(
          tx,
          { actor: 'test', keyId: null, requestId: null, action: 'test.done', projectId: null, detail: {} },
          Date.now(),
        ),
      );
    for (const attack of [
      `update tollgate.audit_entries set actor = 'somebody else'`,
      'delete from tollgate.audit_entries',
      'truncate tollgate.audit_entries',
      'alter table tollgate.audit_entries disable trigger all',
      'drop table tollgate.audit_entries',
      'delete from tollgate.snapshot_versions',
      'update tollgate.fact_versions set cause = null',
      'delete from tollgate.migrations',
    ]) {
      await expect(service.pool.query(attack), attack).rejects.toMatchObject({ code: '42501' });
    }
  });

  it('adds jobs and works on them', async () => {
    const done: unknown[] = [];
    const task: Task = async (payload) => void done.push(payload);
    const names = [
      'sync_object',
      'recompute_customers',
      'wake_parked',
      'reconcile',
      'schedule_reconcile',
      'import',
      'reconcile_continuously',
      'catch_up_events',
      'housekeeping',
    ] as const;
    const tasks = Object.fromEntries(names.map((name) => [name, task])) as Record<(typeof names)[number], Task>;
    const jobs = await startJobs({ pool: service.pool, tasks, cron: [], concurrency: 2, log, pollMs: 100 });
    await service.db.transaction().execute((tx) => enqueue(tx, 'housekeeping', { n: 1 }, { queueName: 'q' }));
    await until(() => done.length === 1);
    await jobs.stop();
    const { rows } = await owner.pool.query('select count(*)::int as left from graphile_worker._private_jobs');
    expect(rows).toEqual([{ left: 0 }]);
  });
});
