/**
 * Objects of Stripe's that nobody can be found for, kept where a person can look: written, and settled again, in the
 * transaction of the attempt.
 */
import { sql } from 'kysely';
import type { Cause } from '../facts/cause.ts';
import type { Queryable, Tx } from '../platform/database.ts';
import { newId } from '../platform/ids.ts';
import type { ParkedDetail } from './parked-detail.ts';
import type { ObjectRef, SyncResult } from './types.ts';

/** What is written down about the object of a fetch if it has to be parked. */
export interface Parking {
  ref: ObjectRef;
  /** What made somebody look. */
  cause: Cause;
  detail: ParkedDetail;
}

/**
 * Parks the object, or settles it if it was parked, by what an attempt came to.
 * @returns the result; `ignored` where an operator has dismissed the object and nothing is known that was not then
 */
export async function settleParking(
  tx: Tx,
  fetch: { connectionId: string; now: number; parking: Parking },
  result: SyncResult,
): Promise<SyncResult> {
  switch (result.status) {
    case 'parked': {
      const dismissed = (await park(tx, fetch, result)) === 'dismissed';
      return dismissed ? { ...result, status: 'ignored', reason: 'dismissed' } : result;
    }
    case 'applied':
    case 'unchanged':
      await settle(tx, fetch, { status: 'resolved', resolution: 'attributed' });
      return result;
    case 'ignored': {
      const gone = result.reason === 'missing_in_stripe';
      await settle(tx, fetch, { status: gone ? 'gone' : 'resolved', resolution: result.reason ?? 'ignored' });
      return result;
    }
    case 'stale':
      return result;
    default:
      return result.status satisfies never;
  }
}

interface Attempt {
  connectionId: string;
  now: number;
  parking: Parking;
}

/** What an operator decided stays so; what was dismissed, until the evidence changes. @returns the status that it has afterwards */
async function park(tx: Tx, { connectionId, now, parking }: Attempt, result: SyncResult): Promise<string> {
  const { ref, cause, detail } = parking;
  const candidates = JSON.stringify(result.candidates ?? []);
  const projectIds = [...new Set((result.candidates ?? []).flatMap(({ project_id: id }) => (id === null ? [] : [id])))];
  const at = new Date(now);
  const tried = {
    reason: result.reason ?? 'unknown',
    detail: JSON.stringify(detail),
    candidates,
    project_ids: projectIds,
    last_tried_at: at,
  };
  // Of what is attached only an attempt that began before can say so; a Stripe customer's link is a matter of its own.
  const stays = sql<boolean>`(parked_objects.status = 'attached' and parked_objects.object_type <> 'customer')
    or (parked_objects.status = 'dismissed' and parked_objects.reason = excluded.reason
      and parked_objects.candidates = excluded.candidates)`;
  const { status } = await tx
    .insertInto('tollgate.parked_objects')
    .values({
      id: newId('park'),
      connection_id: connectionId,
      object_type: ref.type,
      object_id: ref.id,
      status: 'open',
      ...tried,
      found_by: JSON.stringify(cause),
      first_seen_at: at,
    })
    .onConflict((conflict) =>
      conflict.columns(['connection_id', 'object_type', 'object_id']).doUpdateSet((set) => ({
        ...tried,
        tries: set('tollgate.parked_objects.tries', '+', 1),
        status: sql<'open' | 'attached' | 'dismissed'>`case when ${stays} then parked_objects.status else 'open' end`,
        settled_at: sql<Date | null>`case when ${stays} then parked_objects.settled_at end`,
        resolution: sql<string | null>`case when ${stays} then parked_objects.resolution end`,
      })),
    )
    .returning('status')
    .executeTakeFirstOrThrow();
  return status;
}

/** What an operator decided stays so, unless Stripe has it no more or it turned out to be somebody's after all. */
async function settle(
  tx: Tx,
  { connectionId, now, parking: { ref } }: Attempt,
  { status, resolution }: { status: 'resolved' | 'gone'; resolution: string },
): Promise<void> {
  const beside = status === 'gone' ? 'attached' : resolution === 'attributed' ? 'dismissed' : 'open';
  await tx
    .updateTable('tollgate.parked_objects')
    .set({ status, resolution, settled_at: new Date(now) })
    .where('connection_id', '=', connectionId)
    .where('object_type', '=', ref.type)
    .where('object_id', '=', ref.id)
    .where('status', 'in', ['open', beside])
    .execute();
}

/** Whether an operator said that an object is not ours, and nothing has changed since. */
export async function isDismissed(db: Queryable, connectionId: string, ref: ObjectRef): Promise<boolean> {
  const row = await db
    .selectFrom('tollgate.parked_objects')
    .select('status')
    .where('connection_id', '=', connectionId)
    .where('object_type', '=', ref.type)
    .where('object_id', '=', ref.id)
    .executeTakeFirst();
  return row?.status === 'dismissed';
}
