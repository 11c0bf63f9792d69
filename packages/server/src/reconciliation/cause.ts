import { sql } from 'kysely';
import type { Look } from './kind.ts';
import type { UndeliveredEvents } from './undelivered-events.ts';

/**
 * Why something differs, as far as it can be told:
 * - `event_not_delivered`: Stripe has an event about it that never came here
 * - `event_pending`: its event has come and has not been processed yet
 * - `event_failed`: its event was delivered, and processing it failed
 * - `event_parked`: its event was delivered and waits until it can be attributed
 * - `event_processed`: its events were delivered and processed, and it differs all the same
 * - `no_event`: neither the inbox nor Stripe's last 30 days know of an event about it
 * - `unknown`: there were too many events to look through
 */
export type DriftCause =
  | 'event_not_delivered'
  | 'event_pending'
  | 'event_failed'
  | 'event_parked'
  | 'event_processed'
  | 'no_event'
  | 'unknown';

/** Events and facts are stamped by different processes. */
const MARGIN_MS = 60_000;
const MOST_EVENTS = 100;

/**
 * Finds out why an object of Stripe's differs from what is stored, from the inbox and from Stripe's own list of events.
 * @param since - what happened before then is in the stored state already; null: nothing is stored
 */
export async function causeOf(
  look: Look,
  undelivered: UndeliveredEvents,
  { objectId, since }: { objectId: string; since: Date | null },
): Promise<DriftCause> {
  const statuses = await statusesOf(look, objectId, since);
  if (statuses.has('dead') || statuses.has('failed')) return 'event_failed';
  if (statuses.has('parked')) return 'event_parked';
  if (statuses.has('received')) return 'event_pending';
  const search = await undelivered.search(look);
  if (search.about(objectId)) return 'event_not_delivered';
  if (statuses.has('processed')) return 'event_processed';
  return search.complete ? 'no_event' : 'unknown';
}

async function statusesOf({ db, connection }: Look, objectId: string, since: Date | null): Promise<Set<string>> {
  const from = since === null ? new Date(0) : new Date(since.getTime() - MARGIN_MS);
  const own = await db
    .selectFrom('tollgate.events')
    .select('status')
    .where('connection_id', '=', connection.id)
    .where('object_id', '=', objectId)
    .where('received_at', '>=', from)
    .orderBy('received_at', 'desc')
    .limit(MOST_EVENTS)
    .execute();
  // A refund or a dispute is an object of its own, and names the payment.
  const related = await db
    .selectFrom('tollgate.events')
    .select('status')
    .where('connection_id', '=', connection.id)
    .where(sql<boolean>`related_ids @> array[${objectId}]::text[]`)
    .where('status', 'in', ['received', 'failed', 'parked'])
    .limit(MOST_EVENTS)
    .execute();
  return new Set([...own, ...related].map(({ status }) => status));
}
