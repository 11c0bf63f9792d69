import { sql } from 'kysely';
import type { Database } from '../platform/database.ts';
import { deleteInBatches } from '../platform/in-batches.ts';

const KEPT_MS = 365 * 24 * 60 * 60 * 1000;
const RUNS_AT_ONCE = 100;

/**
 * Removes runs a year after they ended, with their drifts. The last of its scope that was completed stays: it says how
 * things stand.
 */
export async function forgetOldRuns(db: Database, now: number, signal: AbortSignal): Promise<void> {
  const before = new Date(now - KEPT_MS);
  for (;;) {
    const ids = await overtakenRuns(db, before);
    await deleteInBatches(signal, async (limit) => {
      const { numAffectedRows = 0n } = await sql`
        delete from tollgate.drifts where id in (
          select id from tollgate.drifts where run_id = any(${ids}::text[]) limit ${limit})`.execute(db);
      return numAffectedRows;
    });
    if (signal.aborted) return;
    await sql`delete from tollgate.reconciliation_runs where id = any(${ids}::text[])`.execute(db);
    if (ids.length < RUNS_AT_ONCE) return;
  }
}

/** Runs that ended before then, and after which another of the same kind and scope was completed. */
async function overtakenRuns(db: Database, before: Date): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select run.id from tollgate.reconciliation_runs run
     where run.status in ('completed', 'failed') and run.finished_at < ${before}
       and exists (
         select from tollgate.reconciliation_runs later
          where later.status = 'completed' and later.id > run.id
            and coalesce(later.project_id, '') = coalesce(run.project_id, '')
            and coalesce(later.customer_id, '') = coalesce(run.customer_id, '')
            and later.dry_run = run.dry_run
            and (later.trigger = 'continuous') = (run.trigger = 'continuous'))
     order by run.finished_at limit ${RUNS_AT_ONCE}`.execute(db);
  return rows.map(({ id }) => id);
}
