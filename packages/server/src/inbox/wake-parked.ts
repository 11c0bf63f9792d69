import { sql } from 'kysely';
import { enqueueSync, type SyncJob } from '../facts/enqueue-sync.ts';
import { parkedWaitingFor } from '../mirror/parked-waiting.ts';
import type { ObjectRef } from '../mirror/types.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database, Tx } from '../platform/database.ts';
import type { CronEntry, Task } from '../platform/jobs.ts';
import { KEPT_MS } from './forget.ts';
import { isAmong, lockedEvents } from './locked-events.ts';
import { WAITING } from './statuses.ts';

/** How often events are looked for whose time has come and that nobody looks after. */
export const WAKE_SCHEDULE: CronEntry = { task: 'wake_parked', schedule: '*/5 * * * *' };

/** So long after its time an event counts as forgotten by its job. */
const FORGOTTEN_AFTER = '2 minutes';
const MOST_AT_ONCE = 1_000;
/** What waits for long waits a little longer when there is other work. */
const LOW_PRIORITY = 10;

/**
 * The `wake_parked` task. With `{connectionId, objectId}`: that object became known, so events that name it are looked at
 * again. Without: events that are overdue, which is how parked ones get their slow retry, and how an event is found
 * whose job somebody removed.
 */
export function wakeParkedTask({ db, clock }: { db: Database; clock: Clock }): Task {
  return async (payload) => {
    const { connectionId, objectId } = payload as { connectionId?: unknown; objectId?: unknown };
    if (typeof connectionId === 'string' && typeof objectId === 'string') {
      await wakeNaming(db, connectionId, objectId, clock.now());
    } else {
      await wakeOverdue(db);
    }
  };
}

/**
 * Those under way are woken too: they may have been found to be nobody's a moment too early, and be settled as that before
 * they are looked at again. So it is the object that became known that asks, and no event, which may wait no more.
 */
async function wakeNaming(db: Database, connectionId: string, objectId: string, now: number): Promise<void> {
  await db.transaction().execute(async (tx) => {
    const woken = await tx
      .updateTable('tollgate.events')
      .set({ next_attempt_at: sql<Date>`now()` })
      .where('connection_id', '=', connectionId)
      .where(
        isAmong(
          lockedEvents(tx, connectionId)
            .where('status', 'in', WAITING)
            .where(({ or, eb }) =>
              or([eb('object_id', '=', objectId), sql<boolean>`related_ids @> array[${objectId}::text]`]),
            ),
        ),
      )
      .returning(['id', 'object_type', 'object_id'])
      .execute();
    const cause = { type: 'catalog', id: objectId } as const;
    const refs = new Map(syncsOf(woken).map(({ ref }) => [ref.id, ref]));
    // What a reconciliation or an import has found has no event that waits for it.
    for (const ref of await parkedWaitingFor(tx, connectionId, objectId)) refs.set(ref.id, ref);
    if (await wasNobodysPayment(tx, connectionId, objectId, now)) refs.set(objectId, { type: 'payment', id: objectId });
    for (const id of [...refs.keys()].sort()) {
      await enqueueSync(tx, { connectionId, ref: refs.get(id) as ObjectRef, cause });
    }
  });
}

/**
 * Whether something was heard of a payment while its subscription was nobody's, such as one that had been dismissed; or
 * may have been, where the payment is older than what the inbox remembers.
 */
async function wasNobodysPayment(tx: Tx, connectionId: string, id: string, now: number): Promise<boolean> {
  const event = await tx
    .selectFrom('tollgate.events')
    .select('id')
    .where('connection_id', '=', connectionId)
    .where('object_id', '=', id)
    .where('object_type', '=', 'payment')
    .where('status', '=', 'ignored')
    .executeTakeFirst();
  if (event !== undefined) return true;
  const old = await tx
    .selectFrom('tollgate.payments')
    .select('id')
    .where('connection_id', '=', connectionId)
    .where('id', '=', id)
    .where('created_at', '<', new Date(now - KEPT_MS))
    .executeTakeFirst();
  return old !== undefined;
}

async function wakeOverdue(db: Database): Promise<void> {
  const overdue = await db
    .selectFrom('tollgate.events')
    .select(['connection_id', 'id', 'object_type', 'object_id'])
    .where('next_attempt_at', '<', sql<Date>`now() - ${FORGOTTEN_AFTER}::interval`)
    .orderBy('next_attempt_at')
    .limit(MOST_AT_ONCE)
    .execute();
  for (const connectionId of new Set(overdue.map((event) => event.connection_id))) {
    for (const sync of syncsOf(overdue.filter((event) => event.connection_id === connectionId))) {
      await enqueueSync(db, { connectionId, ...sync }, { jobKeyMode: 'preserve_run_at', priority: LOW_PRIORITY });
    }
  }
}

interface Woken {
  id: string;
  object_type: string | null;
  object_id: string | null;
}

/** Each object once, in an order that is the same for everybody who locks their jobs. */
function syncsOf(events: readonly Woken[]): Pick<SyncJob, 'ref' | 'cause'>[] {
  const syncs = new Map<string, Pick<SyncJob, 'ref' | 'cause'>>();
  for (const { id, object_type, object_id } of events) {
    if (object_id === null) continue;
    const ref = { type: object_type as ObjectRef['type'], id: object_id };
    syncs.set(object_id, { ref, cause: { type: 'event', id } });
  }
  return [...syncs.values()].sort((a, b) => (a.ref.id < b.ref.id ? -1 : 1));
}
