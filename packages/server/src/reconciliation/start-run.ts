import type { Selectable } from 'kysely';
import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database, Queryable } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';
import { newId } from '../platform/ids.ts';
import { enqueueLongWork, type LongJob } from '../platform/long-work.ts';
import type { Schema } from '../schema.ts';
import type { Scope } from './scope.ts';

export type RunRow = Selectable<Schema['tollgate.reconciliation_runs']>;

export const RUN_JOB = { task: 'reconcile', row: 'run' } as const satisfies LongJob;

export interface StartRunInput {
  scope: Scope;
  /** Only says what it would do. */
  dryRun: boolean;
  trigger: RunRow['trigger'];
}

/**
 * Records a run and its job, with an entry in the audit trail.
 * @returns the run, `queued`
 * @throws TollgateError `reconciliation_running` (with `run_id`) while one of the same scope has not ended
 */
export async function startRun(
  { db, clock }: { db: Database; clock: Clock },
  { scope, dryRun, trigger }: StartRunInput,
  context: AuditContext,
): Promise<RunRow> {
  const now = clock.now();
  return await db.transaction().execute(async (tx) => {
    const run = await tx
      .insertInto('tollgate.reconciliation_runs')
      .values({
        id: newId('run'),
        project_id: scope.projectId,
        customer_id: scope.customerId,
        dry_run: dryRun,
        status: 'queued',
        trigger,
        counts: '{}',
        created_at: new Date(now),
      })
      // Of two that start together, the index lets one through and the other waits to see it.
      .onConflict((conflict) => conflict.doNothing())
      .returningAll()
      .executeTakeFirst();
    if (run === undefined) throw await alreadyRunning(tx, scope);
    await enqueueLongWork(tx, RUN_JOB, run.id);
    await recordAudit(
      tx,
      {
        ...context,
        action: 'reconciliation.started',
        projectId: scope.projectId,
        customerId: scope.customerId,
        detail: { run: run.id, dry_run: dryRun, trigger },
      },
      now,
    );
    return run;
  });
}

async function alreadyRunning(tx: Queryable, scope: Scope): Promise<TollgateError> {
  const running = await tx
    .selectFrom('tollgate.reconciliation_runs')
    .select('id')
    .where('status', 'in', ['queued', 'running'])
    .where('project_id', scope.projectId === null ? 'is' : '=', scope.projectId)
    .where('customer_id', scope.customerId === null ? 'is' : '=', scope.customerId)
    .executeTakeFirst();
  return new TollgateError(
    'reconciliation_running',
    'A reconciliation of the same scope has not ended yet. Wait for it: GET /api/v1/admin/reconciliations/{id}.',
    [],
    running === undefined ? {} : { run_id: running.id },
  );
}
