import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import { newId } from '../platform/ids.ts';
import type { Origin } from './cause.ts';
import type { Drift } from './kind.ts';
import type { RunRow } from './start-run.ts';

/**
 * `repairing` stands only while it is under way. `resolved`: somebody else, a late webhook say, repaired it meanwhile.
 * `needs_person`: it differs still; the drift's detail says what to do.
 */
export const ACTIONS = ['repairing', 'repaired', 'resolved', 'would_repair', 'needs_person'] as const;
export type DriftAction = (typeof ACTIONS)[number];

export interface SettledDrift {
  connectionId: string;
  objectType: string;
  objectId: string;
  drift: Drift;
  origin: Origin;
}

export interface DriftEnd {
  action: DriftAction;
  detail: string | null;
}

interface RecordDeps {
  db: Database;
  clock: Clock;
}

/** Writes a drift down. A page that was interrupted is gone through a second time without recording anything twice. */
export async function recordDrift(
  { db, clock }: RecordDeps,
  run: RunRow,
  { connectionId, objectType, objectId, drift, origin }: SettledDrift,
  { action, detail }: DriftEnd,
): Promise<void> {
  await db
    .insertInto('tollgate.drifts')
    .values({
      id: newId('drift'),
      run_id: run.id,
      connection_id: connectionId,
      project_id: drift.projectId,
      customer_id: drift.customerId,
      kind: drift.kind,
      object_type: objectType,
      object_id: objectId,
      cause: origin.cause,
      action,
      detail,
      fields: JSON.stringify(drift.fields),
      detected_at: new Date(clock.now()),
      arose_at: origin.aroseAt,
    })
    .onConflict((conflict) =>
      conflict.columns(['run_id', 'connection_id', 'object_type', 'object_id']).doUpdateSet({ action, detail }),
    )
    .execute();
}

/** Writes down how it ended. */
export async function endDrift(
  { db }: Pick<RecordDeps, 'db'>,
  run: RunRow,
  { connectionId, objectType, objectId }: Pick<SettledDrift, 'connectionId' | 'objectType' | 'objectId'>,
  end: DriftEnd,
): Promise<void> {
  await db
    .updateTable('tollgate.drifts')
    .set({ ...end })
    .where('run_id', '=', run.id)
    .where('connection_id', '=', connectionId)
    .where('object_type', '=', objectType)
    .where('object_id', '=', objectId)
    .execute();
}
