import type { Cause } from '../facts/cause.ts';
import type { ObjectRef } from '../mirror/types.ts';
import type { Queryable } from '../platform/database.ts';
import { enqueue, type JobOptions } from '../platform/jobs.ts';

/** What a `sync_object` job is told. */
export interface SyncJob {
  connectionId: string;
  ref: ObjectRef;
  /** Who asked; an event that waits for the object says so itself. */
  cause?: Cause;
}

/**
 * Asks for an object to be synced. One job that waits is enough for everybody who asks. One that is under way is not: it
 * may have fetched before they had reason to ask, so another follows it.
 */
export async function requestSync(
  tx: Queryable,
  job: SyncJob,
  options: Pick<JobOptions, 'runAt' | 'jobKeyMode' | 'priority'> = {},
): Promise<void> {
  await enqueue(tx, 'sync_object', job, { jobKey: `sync:${job.connectionId}:${job.ref.id}`, ...options });
}
