import type { RawBuilder } from 'kysely';
import type { Queryable } from '../platform/database.ts';
import { addJob, enqueue, type JobOptions } from '../platform/jobs.ts';
import type { Cause } from './cause.ts';
import type { ObjectRef } from './object-ref.ts';

/** What a `sync_object` job is told. */
export interface SyncJob {
  connectionId: string;
  ref: ObjectRef;
  /** Who asked; an event that waits for the object says so itself. */
  cause?: Cause;
}

/** Whether the job is there for the sake of an event: it has nothing to do once that has been answered for. */
export function isForEvent({ cause }: Pick<SyncJob, 'cause'>): boolean {
  return cause?.type === 'event';
}

type SyncOptions = Pick<JobOptions, 'runAt' | 'jobKeyMode' | 'priority'>;

/**
 * Has an object of Stripe's brought up to date after the commit. One job that waits is enough for all events, and one for
 * everybody else who asks: what is there for an event may come to nothing, and must not take the place of what has to be
 * done. A job that is under way is not enough: it may have fetched before they had reason to ask, so another follows it.
 */
export async function enqueueSync(tx: Queryable, job: SyncJob, options: SyncOptions = {}): Promise<void> {
  await enqueue(tx, 'sync_object', job, { jobKey: keyOf(job), ...options });
}

/** The same as a part of a statement. */
export function addSync(job: SyncJob): RawBuilder<unknown> {
  return addJob('sync_object', job, { jobKey: keyOf(job) });
}

function keyOf(job: SyncJob): string {
  return `${isForEvent(job) ? 'sync_event' : 'sync'}:${job.connectionId}:${job.ref.id}`;
}
