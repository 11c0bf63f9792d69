import type { ObjectRef } from '../mirror/types.ts';
import type { Queryable } from '../platform/database.ts';
import { enqueue, type JobOptions } from '../platform/jobs.ts';

/**
 * Asks for an object to be synced on behalf of its events. A job that waits already is enough for all of them. One that
 * is under way is not: it may have fetched before the event came, so another follows it.
 */
export async function requestSync(
  tx: Queryable,
  connectionId: string,
  ref: ObjectRef,
  options: Pick<JobOptions, 'runAt' | 'jobKeyMode' | 'priority'> = {},
): Promise<void> {
  await enqueue(
    tx,
    'sync_object',
    { connectionId, ref, onlyForEvents: true },
    { jobKey: `sync:${connectionId}:${ref.id}`, ...options },
  );
}
