import { sql } from 'kysely';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import { forgetOldAnswers } from '../platform/http/idempotency.ts';
import type { Task } from '../platform/jobs.ts';

const HOUR_MS = 60 * 60 * 1000;
/** As long as a job that failed for the last time can be looked at. */
const DEAD_JOBS_KEPT_MS = 30 * 24 * HOUR_MS;

export interface HousekeepingDeps {
  db: Database;
  clock: Clock;
  /** What the rooms have that serves its time; `now` in epoch milliseconds. */
  forget: readonly ((db: Database, now: number, signal: AbortSignal) => Promise<unknown>)[];
}

/** Removes what has served its time. Runs every hour, once per database. */
export function housekeepingTask({ db, clock, forget }: HousekeepingDeps): Task {
  return async (_payload, { signal }) => {
    const now = clock.now();
    for (const room of [forgetOldAnswers, ...forget]) await room(db, now, signal);
    const deadBefore = new Date(now - DEAD_JOBS_KEPT_MS);
    await sql`delete from graphile_worker._private_jobs
               where attempts >= max_attempts and locked_at is null and updated_at < ${deadBefore}`.execute(db);
    // Queues are named after objects; without this there would be a row for each that ever was.
    await sql`delete from graphile_worker._private_job_queues q
               where locked_at is null
                 and not exists (select from graphile_worker._private_jobs j where j.job_queue_id = q.id)`.execute(db);
  };
}
