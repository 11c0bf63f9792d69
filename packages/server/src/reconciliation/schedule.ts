import type { AuditContext } from '../audit/context.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';
import type { Task } from '../platform/jobs.ts';
import type { Log } from '../platform/log.ts';
import { enqueueLongWork } from '../platform/long-work.ts';
import { RUN_JOB, startRun } from './start-run.ts';

const SCHEDULER: AuditContext = { actor: 'schedule', keyId: null, requestId: null };
/** Longer than any pause between two attempts at one page. */
const STALE_AFTER_MS = 4 * 60 * 60 * 1000;

/**
 * Starts the regular run of everything; the job itself is made once per database, whatever the number of processes.
 * While the run before has not ended there is no new one. A run whose job is gone (its process died at the last
 * attempt) gets another job first.
 */
export function scheduleReconcileTask(deps: { db: Database; clock: Clock; log: Log }): Task {
  return async () => {
    await revive(deps);
    try {
      const scope = { projectId: null, customerId: null };
      await startRun(deps, { scope, dryRun: false, trigger: 'schedule' }, SCHEDULER);
    } catch (error) {
      if (!(error instanceof TollgateError) || error.code !== 'reconciliation_running') throw error;
      deps.log.warn(error.extensions, 'The scheduled reconciliation is left out: the one before has not ended');
    }
  };
}

async function revive({ db, clock, log }: { db: Database; clock: Clock; log: Log }): Promise<void> {
  const stale = await db
    .selectFrom('tollgate.reconciliation_runs')
    .select('id')
    .where('status', 'in', ['queued', 'running'])
    // The look of every minute has no job of its own: the next one goes on with what was left.
    .where('trigger', '<>', 'continuous')
    .where((of) => of(of.fn.coalesce('heartbeat_at', 'created_at'), '<', new Date(clock.now() - STALE_AFTER_MS)))
    .execute();
  for (const { id } of stale) {
    log.warn({ run_id: id }, 'A reconciliation gave no sign of life; it goes on where it was');
    await enqueueLongWork(db, RUN_JOB, id);
  }
}
