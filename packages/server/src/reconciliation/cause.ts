import { sql } from 'kysely';
import type { Look } from './kind.ts';
import type { UndeliveredEvents } from './undelivered-events.ts';

/**
 * Why something differs, as far as it can be told:
 * - `event_not_delivered`: Stripe has an event about it that never came here as a webhook
 * - `event_pending`: its event has come and has not been processed yet
 * - `event_failed`: its event was delivered, and processing it failed
 * - `event_parked`: its event was delivered and waits until it can be attributed
 * - `event_stale`: its last event was processed, and what was fetched for it was not the newest any more
 * - `event_processed`: its events were delivered and processed, and it differs all the same
 * - `no_event`: neither the inbox's last 90 days nor Stripe's last 30 know of an event about it
 * - `ours`: what is stored contradicts itself; it was not Stripe that changed
 * - `unknown`: there were too many events to look through, or it cannot be read and does not say what its events speak of
 */
export const CAUSES = [
  'event_not_delivered',
  'event_pending',
  'event_failed',
  'event_parked',
  'event_stale',
  'event_processed',
  'no_event',
  'ours',
  'unknown',
] as const;
export type DriftCause = (typeof CAUSES)[number];

export interface Origin {
  cause: DriftCause;
  /** The earliest moment at which it can have arisen; null: unknown. */
  aroseAt: Date | null;
}

/** Events and facts are stamped by different processes. */
const MARGIN_MS = 60_000;
const MOST_EVENTS = 100;

/**
 * Finds out why an object of Stripe's differs from what is stored, from the inbox and from Stripe's own list of events.
 * @param about.since - what happened before then is in the stored state already; null: nothing is stored
 * @param about.changedAt - when Stripe's object says that it became so; null: it does not say
 * @param about.toldTo - the object that its events speak of where that is another; null: there is none, or it is not known
 */
export async function originOf(
  look: Look,
  undelivered: UndeliveredEvents,
  about: { objectType: string; objectId: string; since: Date | null; changedAt: Date | null; toldTo: string | null },
): Promise<Origin> {
  const { objectId, since, changedAt } = about;
  if (since !== null && (await contradictsItself(look, about))) return { cause: 'ours', aroseAt: null };
  const from = since === null ? new Date(0) : new Date(since.getTime() - MARGIN_MS);
  const events = await eventsAbout(look, about, from);
  const origin = (cause: DriftCause, which: (event: EventAbout) => boolean): Origin | null => {
    const [first] = events.filter(which);
    return first === undefined ? null : { cause, aroseAt: first.created_at };
  };
  const known =
    origin('event_failed', ({ status }) => status === 'dead' || status === 'failed') ??
    origin('event_parked', ({ status }) => status === 'parked') ??
    origin('event_not_delivered', ({ source }) => source === 'listed') ??
    origin('event_pending', ({ status }) => status === 'received');
  if (known !== null) return known;
  const search = await undelivered.search(look);
  const lost = search.about(objectId, from);
  if (lost !== null) return { cause: 'event_not_delivered', aroseAt: lost };
  const processed = events.filter(({ status }) => status === 'processed');
  const last = processed.at(-1);
  if (last !== undefined) {
    return { cause: last.reason === 'stale' ? 'event_stale' : 'event_processed', aroseAt: last.created_at };
  }
  return { cause: search.complete && !isToldSomewhere(about) ? 'no_event' : 'unknown', aroseAt: changedAt };
}

/** What is told of an invoice is told to its subscription, of a purchase to its checkout session: here nobody knows which. */
function isToldSomewhere({ objectType, toldTo }: { objectType: string; toldTo: string | null }): boolean {
  return toldTo === null && (objectType === 'invoice' || objectType === 'purchase');
}

interface EventAbout {
  status: string;
  reason: string | null;
  source: 'webhook' | 'listed';
  created_at: Date;
}

/** In the order in which Stripe made them. Each query has an index: the inbox keeps the events of months. */
async function eventsAbout(
  { db, connection }: Look,
  about: { objectType: string; objectId: string; toldTo: string | null },
  from: Date,
): Promise<EventAbout[]> {
  const { objectId, toldTo } = about;
  const events = () =>
    db
      .selectFrom('tollgate.events')
      .select(['status', 'reason', 'source', 'created_at'])
      .where('connection_id', '=', connection.id)
      .orderBy('received_at', 'desc')
      .limit(MOST_EVENTS);
  const own = events().where('object_id', '=', objectId).where('received_at', '>=', from);
  const naming = events().where(sql<boolean>`related_ids @> array[${objectId}]::text[]`);
  const queries = [
    own,
    // A refund or a dispute is an object of its own, and names the payment.
    naming.where('status', 'in', ['received', 'failed', 'parked']),
    ...(toldTo === null ? [] : [naming.where('object_id', '=', toldTo).where('received_at', '>=', from)]),
    // Those that failed for good are few enough to look through.
    ...(isToldSomewhere(about) ? [naming.where('status', '=', 'dead').where('received_at', '>=', from)] : []),
  ];
  const found: EventAbout[] = [];
  for (const query of queries) found.push(...(await query.execute()));
  return found.sort((a, b) => a.created_at.getTime() - b.created_at.getTime());
}

/** Whether a stored fact is not what was last saved of it: somebody has changed the row. */
async function contradictsItself(
  { db, connection }: Look,
  { objectType, objectId }: { objectType: string; objectId: string },
): Promise<boolean> {
  if (!['subscription', 'purchase', 'invoice_payment'].includes(objectType)) return false;
  const { rows } = await sql`
    select from tollgate.facts fact join tollgate.projects project on project.id = fact.project_id
     where project.connection_id = ${connection.id} and fact.kind = ${objectType} and fact.object_id = ${objectId}
       and fact.body is distinct from (
         select version.body from tollgate.fact_versions version
          where version.kind = fact.kind and version.object_id = fact.object_id and version.project_id = fact.project_id
          order by version.id desc limit 1)`.execute(db);
  return rows.length > 0;
}
