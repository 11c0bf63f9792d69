import { sql } from 'kysely';
import type { Database } from '../platform/database.ts';
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
}

export const NO_COUNTS: Counts = { listed: 0, asked: 0, in_sync: 0, ignored: 0, parked: 0 };

/** Another process goes on with the run, and is further. */
export class Overtaken extends Error {
  override readonly name = 'Overtaken';
}

/**
 * Writes down that a page is done with: where the run goes on, what it has counted and what it has met.
 * @returns the run as it is now
 * @throws Overtaken when the run has moved since `run` was read
 */
export async function saveProgress(
  db: Database,
  run: RunRow,
  progress: {
    place: Place;
    counts: Counts;
    /** Where it was met. */
    connectionId: string;
    met: readonly { kind: KindName; id: string }[];
    now: number;
  },
): Promise<RunRow> {
  const { place, counts, connectionId, met, now } = progress;
  return await db.transaction().execute(async (tx) => {
    const saved = await tx
      .updateTable('tollgate.reconciliation_runs')
      .set({ cursor: JSON.stringify(place), counts: JSON.stringify(counts), heartbeat_at: new Date(now) })
      .where('id', '=', run.id)
      .where('status', '=', 'running')
      .where(
        sql<boolean>`cursor is not distinct from ${run.cursor === null ? null : JSON.stringify(run.cursor)}::jsonb`,
      )
      .returningAll()
      .executeTakeFirst();
    if (saved === undefined) throw new Overtaken(`The run ${run.id} is worked on elsewhere.`);
    if (met.length > 0) {
      await tx
        .insertInto('tollgate.reconciliation_seen')
        .values(
          met.map(({ kind, id }) => ({
            run_id: run.id,
            connection_id: connectionId,
            object_type: kind,
            object_id: id,
          })),
        )
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    }
    return saved;
  });
}

export function placeOf(run: RunRow): Place | null {
  const { step, after } = run.cursor ?? {};
  if (typeof step !== 'string') return null;
  return { step, after: typeof after === 'string' ? after : null };
}

export function countsOf(run: RunRow): Counts {
  return { ...NO_COUNTS, ...run.counts };
}
