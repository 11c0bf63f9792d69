import { enqueueSync, isForEvent, type SyncJob } from '../facts/enqueue-sync.ts';
import type { ObjectType } from '../mirror/types.ts';
import type { Task } from '../platform/jobs.ts';
import type { SyncDeps } from './deps.ts';
import { failureOf } from './failure.ts';
import { createQuietPeriods, type QuietPeriods } from './quiet-periods.ts';
import { DEFAULT_RETRY } from './retry.ts';
import { settleDead, settleFailed, settleSynced } from './settle-events.ts';
import { waitingEvents } from './waiting-events.ts';

/** What waited together does not start together. */
const SPREAD_MS = 1_000;
/** A sync that finds its object under way looks again then, unless it is called earlier. */
const BUSY_MS = 1_000;

/**
 * The `sync_object` task: brings one object up to date, and writes down what became of the events that were waiting for
 * it when it began. Failures are written down with them, and it asks for its own next attempt; only what cannot be
 * written down, because the database is away, is left to the job's own retries.
 *
 * An object is fetched once at a time, so that a burst of events costs two fetches and not one each. (Several processes
 * may still fetch it at once; the mirror sorts that out.) What waits for its turn is always a job, and never only a
 * thought of this process.
 */
export function syncObjectTask(deps: SyncDeps): Task {
  const { db, log } = deps;
  const quiet = createQuietPeriods();
  const underWay = new Map<string, { next: SyncJob | null }>();

  return async (payload) => {
    const job = jobIn(payload);
    const quietMs = quiet.leftMs(job.connectionId);
    if (quietMs > 0) {
      await enqueueSync(db, job, { runAt: inReal(quietMs + SPREAD_MS * Math.random()) });
      return;
    }
    const key = `${job.connectionId} ${job.ref.id}`;
    const other = underWay.get(key);
    if (other !== undefined) {
      // Of the two that may wait the one that has to be done comes first, and answers for the events too.
      if (other.next === null || !isForEvent(job)) other.next = job;
      await enqueueSync(db, job, { runAt: inReal(BUSY_MS), jobKeyMode: 'preserve_run_at' });
      return;
    }
    const own: { next: SyncJob | null } = { next: null };
    underWay.set(key, own);
    try {
      await syncOnce(deps, quiet, job);
    } finally {
      underWay.delete(key);
      if (own.next !== null) {
        await enqueueSync(db, own.next).catch((error: unknown) =>
          log.debug({ err: error }, 'The next sync comes later'),
        );
      }
    }
  };
}

async function syncOnce(deps: SyncDeps, quiet: QuietPeriods, job: SyncJob): Promise<void> {
  const { db, clock, log, retry = DEFAULT_RETRY } = deps;
  const { connectionId, ref } = job;
  const events = await waitingEvents(db, connectionId, ref.id);
  const isWaitedFor = events.some(({ status }) => status !== 'dead');
  // A sync that began after the event came has answered for it.
  if (!isWaitedFor && isForEvent(job)) return;
  const event = events[0];
  const cause = event ? ({ type: 'event', id: event.id } as const) : job.cause;
  try {
    const invoices = [...new Set(events.flatMap((waiting) => waiting.invoices))].sort();
    const result = await deps.syncObject({
      connectionId,
      ref,
      cause: cause ?? { type: 'catalog', id: ref.id },
      ...(ref.type === 'subscription' && invoices.length > 0 ? { invoices } : {}),
    });
    await settleSynced(db, { job, events, now: clock.now(), result });
  } catch (error) {
    const failure = failureOf(error);
    if (failure.kind === 'database') throw error;
    const about = { err: error, connection: connectionId, ref, events: events.length };
    const settlement = { job, events, now: clock.now(), reason: failure.reason };
    if (failure.kind === 'for_good') {
      log.error(about, 'Could not sync an object');
      await settleDead(db, settlement);
      return;
    }
    const { retryAfterMs } = failure;
    if (retryAfterMs !== undefined) quiet.begin(connectionId, retryAfterMs);
    const nextMs = await settleFailed(db, { ...settlement, retry, retryAfterMs });
    log.warn({ ...about, nextMs }, 'Could not sync an object now');
    // No event keeps it alive, as one that is parked and not due does not: the job has to.
    if (nextMs === null && !isForEvent(job)) throw error;
  }
}

/** Jobs run by the database's clock, which is real time; the service's own may be simulated. */
function inReal(ms: number): Date {
  return new Date(Date.now() + ms);
}

const OBJECT_TYPES: Readonly<Record<ObjectType, true>> = {
  subscription: true,
  invoice: true,
  payment: true,
  checkout_session: true,
  customer: true,
  product: true,
  price: true,
};

function jobIn(payload: unknown): SyncJob {
  const { connectionId, ref, cause } = payload as Partial<SyncJob>;
  if (typeof connectionId !== 'string' || typeof ref?.id !== 'string' || !Object.hasOwn(OBJECT_TYPES, ref.type)) {
    throw new Error(`A sync_object job does not say what to sync: ${JSON.stringify(payload)}`);
  }
  return { connectionId, ref, ...(cause === undefined ? {} : { cause }) };
}
