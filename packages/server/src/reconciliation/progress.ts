import { sql } from 'kysely';
import type { Database } from '../platform/database.ts';
import { isWhereItWas, Overtaken } from '../platform/long-work.ts';
import type { KindName } from './kind.ts';
import type { RunRow } from './start-run.ts';

/** Where a run goes on. */
export interface Place {
  /** `stepName` of a step. */
  step: string;
  /** The last object of the last page that was done with; null: from the start. */
  after: string | null;
}

/** What a run has counted. Drifts are counted from their rows. */
export interface Counts {
  /** Objects in Stripe's lists. */
  listed: number;
  /** Stored objects that were in no list and were asked for one by one. */
  asked: number;
  in_sync: number;
  /** Not of this installation. */
  ignored: number;
  /** Perhaps of this installation; nobody can say whose. */
  parked: number;
  /** Facts and snapshots that were compared with what they follow from. */
  proven: number;
}

export const NO_COUNTS: Counts = { listed: 0, asked: 0, in_sync: 0, ignored: 0, parked: 0, proven: 0 };

/** How far a run is with its connections. */
export interface Progress {
  /** Where it is now, or was last. */
  place: Place | null;
  /** Those that have been gone through. */
  done: readonly string[];
  /** Those that could not be, and where they were left; null: at their start. */
  left: Readonly<Record<string, Place | null>>;
}

/** What has been looked at. */
export interface Seen {
  connectionId: string;
  kind: KindName;
  ids: readonly string[];
  /** What need not be looked at again. */
  over: readonly string[];
}

/**
 * Writes down that a page is done with: where the run goes on, what it has counted and what it has seen. One statement,
 * so that all of it is written or nothing.
 * @returns the run as it is now
 * @throws Overtaken when the run has moved since `run` was read
 */
export async function saveProgress(
  db: Database,
  run: RunRow,
  progress: {
    place: Place;
    counts: Counts;
    seen?: Seen;
    now: number;
  },
): Promise<RunRow> {
  const { place, counts, seen, now } = progress;
  const cursor = { ...run.cursor, ...place };
  const { rows } = await sql<{ id: string }>`
    with saved as (
      update tollgate.reconciliation_runs
         set cursor = ${JSON.stringify(cursor)}::jsonb, counts = ${JSON.stringify(counts)}::jsonb, heartbeat_at = ${new Date(now)}
       where id = ${run.id} and ${isWhereItWas(run)}
      returning id
    ) ${seen === undefined ? sql`` : sql`, seen as (${noteSeen(seen, sql`where exists (select from saved)`)}), forgotten as (${forget(seen)})`}
    select id from saved`.execute(db);
  if (rows.length === 0) throw new Overtaken(`The run ${run.id} is worked on elsewhere.`);
  return { ...run, cursor, counts: { ...counts }, heartbeat_at: new Date(now) };
}

/** That the objects have just been looked at. In one order, so that two who note the same do not wait in a circle. */
export function noteSeen({ connectionId, kind, ids }: Omit<Seen, 'over'>, condition = sql``) {
  return sql<object>`insert into tollgate.reconciliation_seen (connection_id, object_type, object_id)
    select ${connectionId}, ${kind}, id from unnest(${[...new Set(ids)].sort()}::text[]) id ${condition}
    on conflict (connection_id, object_type, object_id) do update set seen_at = now()`;
}

/** That the objects need not be looked at again: whoever has looked at them has seen how they ended. */
export function forget({ connectionId, kind, over }: Omit<Seen, 'ids'>) {
  return sql<object>`delete from tollgate.reconciliation_seen
    where connection_id = ${connectionId} and object_type = ${kind} and object_id = any(${[...over].sort()}::text[])`;
}

export async function readRun(db: Database, id: string): Promise<RunRow> {
  return await db.selectFrom('tollgate.reconciliation_runs').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
}

export function placeOf(run: Pick<RunRow, 'cursor'>): Place | null {
  const { step, after } = run.cursor ?? {};
  if (typeof step !== 'string') return null;
  return { step, after: typeof after === 'string' ? after : null };
}

export function progressOf(run: Pick<RunRow, 'cursor'>): Progress {
  const { done, left } = run.cursor ?? {};
  return { place: placeOf(run), done: (done ?? []) as string[], left: (left ?? {}) as Progress['left'] };
}

/**
 * Writes down how far the run is with its connections.
 * @param error - what stands in the way of any
 * @returns the run as it is now
 * @throws Overtaken when the run has moved since `run` was read
 */
export async function saveConnections(
  db: Database,
  run: RunRow,
  { done, left }: Omit<Progress, 'place'>,
  error: string | null,
): Promise<RunRow> {
  const saved = await db
    .updateTable('tollgate.reconciliation_runs')
    .set({ cursor: JSON.stringify({ ...run.cursor, done, left }), error })
    .where('id', '=', run.id)
    .where(isWhereItWas(run))
    .returningAll()
    .executeTakeFirst();
  if (saved === undefined) throw new Overtaken(`The run ${run.id} is worked on elsewhere.`);
  return saved;
}

export function countsOf(run: RunRow): Counts {
  return { ...NO_COUNTS, ...run.counts };
}
