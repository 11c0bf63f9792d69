import { sql } from 'kysely';
import { enqueueSync, type SyncJob } from '../facts/enqueue-sync.ts';
import type { SyncResult } from '../mirror/types.ts';
import type { Database, Queryable } from '../platform/database.ts';
import { delayAfter, type RetrySettings } from '../platform/retry-delay.ts';
import { isAmong, lockedEvents } from './locked-events.ts';
import { PARKED_RETRY } from './retry.ts';
import type { EventStatus } from './statuses.ts';
import type { WaitingEvent } from './waiting-events.ts';

interface Settlement {
  job: SyncJob;
  events: readonly WaitingEvent[];
  /** Epoch milliseconds. */
  now: number;
}

/** Writes down what a sync made of the events that it answers for. What another sync has settled meanwhile stays. */
export async function settleSynced(
  db: Queryable,
  { job, events, now, result }: Settlement & { result: SyncResult },
): Promise<void> {
  const alive = events.filter(({ status }) => status !== 'dead');
  switch (result.status) {
    case 'applied':
    case 'unchanged':
      await settle(db, job, events, { status: 'processed', reason: null, now });
      break;
    case 'stale':
      await settle(db, job, events, { status: 'processed', reason: 'stale', now });
      break;
    case 'ignored':
      await settle(db, job, events, { status: 'ignored', reason: result.reason, now });
      break;
    case 'parked': {
      const delayMs = delayAfter(Math.max(1, ...alive.map(parkedTries)), PARKED_RETRY);
      await settle(db, job, alive, { status: 'parked', reason: result.reason, now, delayMs });
      break;
    }
    default:
      result.status satisfies never;
  }
}

/** The sync failed for good: somebody has to look at it. */
export async function settleDead(
  db: Queryable,
  { job, events, now, reason }: Settlement & { reason: string },
): Promise<void> {
  await settle(
    db,
    job,
    events.filter(({ status }) => status !== 'dead'),
    { status: 'dead', reason, now },
  );
}

/**
 * The sync failed and may work later. An event uses up an attempt only when its own was due: a burst of others about
 * the same object must not wear it out. Those that have none left become dead letters.
 * @returns how long until the next attempt, in milliseconds; null when there is none
 */
export async function settleFailed(
  db: Database,
  failure: Settlement & { reason: string; retry: RetrySettings; retryAfterMs: number | undefined },
): Promise<number | null> {
  const { job, events, now, reason, retry, retryAfterMs } = failure;
  const due = events.filter((event) => event.due);
  const [over, again] = [
    due.filter((event) => triesOf(event) >= retry.maxAttempts),
    due.filter((event) => triesOf(event) < retry.maxAttempts),
  ];
  const delayMs = delayAfter(Math.max(1, ...again.map(triesOf)), retry, retryAfterMs);
  return await db.transaction().execute(async (tx) => {
    await settle(tx, job, over, {
      status: 'dead',
      reason: `gave up after ${retry.maxAttempts} attempts: ${reason}`,
      now,
    });
    await settle(tx, job, again, { status: 'failed', reason, now, delayMs });
    const next = await tx
      .selectFrom('tollgate.events')
      .select(({ fn }) => fn.min('next_attempt_at').as('at'))
      .where('connection_id', '=', job.connectionId)
      .where('object_id', '=', job.ref.id)
      .where('status', 'in', ['received', 'failed'])
      .executeTakeFirst();
    if (next?.at == null) return null;
    // A job that waits already was asked for by a new event, and is not to be held up.
    await enqueueSync(tx, job, { runAt: next.at, jobKeyMode: 'preserve_run_at' });
    return delayMs;
  });
}

/** Attempts including this one. What was parked has left its failures behind. */
function triesOf({ status, attempts }: WaitingEvent): number {
  return status === 'parked' ? 1 : attempts + 1;
}

function parkedTries({ status, attempts }: WaitingEvent): number {
  return status === 'parked' ? attempts + 1 : 1;
}

interface Verdict {
  status: EventStatus;
  reason: string | null;
  now: number;
  /** Until the next attempt; without it there is none. */
  delayMs?: number;
}

async function settle(
  db: Queryable,
  { connectionId }: SyncJob,
  events: readonly WaitingEvent[],
  { status, reason, now, delayMs }: Verdict,
): Promise<void> {
  if (events.length === 0) return;
  const startsAnew = status === 'parked' ? sql`status <> 'parked'` : sql`status = 'parked'`;
  const over = delayMs === undefined;
  const ids = events.map(({ id }) => id);
  await db
    .updateTable('tollgate.events')
    .set({
      status,
      reason,
      attempts: sql<number>`case when ${startsAnew} then 1 else attempts + 1 end`,
      last_attempt_at: new Date(now),
      processed_at: over ? new Date(now) : null,
      next_attempt_at: over ? null : sql<Date>`now() + ${delayMs} * interval '1 millisecond'`,
    })
    .where('connection_id', '=', connectionId)
    .where(
      isAmong(
        lockedEvents(db, connectionId).where('id', 'in', ids).where('status', 'not in', ['processed', 'ignored']),
      ),
    )
    .execute();
}
