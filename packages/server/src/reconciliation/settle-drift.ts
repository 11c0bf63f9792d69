import { type MirrorDeps, syncObject } from '../mirror/sync-object.ts';
import type { Database } from '../platform/database.ts';
import { newId } from '../platform/ids.ts';
import { causeOf } from './cause.ts';
import type { Drift, Kind, Look } from './kind.ts';
import type { RunRow } from './start-run.ts';
import type { UndeliveredEvents } from './undelivered-events.ts';
import { unreadable } from './unreadable.ts';

/**
 * `repairing` stands only while it is under way. `resolved`: somebody else, a late webhook say, repaired it meanwhile.
 * `failed`: it differs still; the drift's detail says why.
 */
export type DriftAction = 'repairing' | 'repaired' | 'resolved' | 'would_repair' | 'failed';

export interface SettleDeps extends MirrorDeps {
  undelivered: UndeliveredEvents;
}

/** Records a drift with its cause, and unless the run is dry has the mirror repair it. */
export async function settleDrift<T extends { id: string }>(
  deps: SettleDeps,
  look: Look,
  run: RunRow,
  found: { kind: Kind<T>; id: string; drift: Drift },
): Promise<void> {
  const { kind, id, drift } = found;
  const place = { ...found, connectionId: look.connection.id };
  const cause = await causeOf(look, deps.undelivered, { objectId: id, since: drift.since });
  if (drift.kind === 'unreadable') {
    await record(deps, run, place, cause, 'failed', drift.detail ?? null);
    return;
  }
  if (run.dry_run) {
    await record(deps, run, place, cause, 'would_repair', null);
    return;
  }
  await record(deps, run, place, cause, 'repairing', null);
  const { action, detail } = await repair(deps, look, run, kind, id);
  await deps.db
    .updateTable('tollgate.drifts')
    .set({ action, detail })
    .where('run_id', '=', run.id)
    .where('connection_id', '=', look.connection.id)
    .where('object_type', '=', kind.name)
    .where('object_id', '=', id)
    .execute();
}

async function repair<T extends { id: string }>(
  deps: SettleDeps,
  look: Look,
  run: RunRow,
  kind: Kind<T>,
  id: string,
): Promise<{ action: DriftAction; detail: string | null }> {
  const connectionId = look.connection.id;
  const cause = { type: 'reconciliation', id: run.id } as const;
  try {
    const ref = kind.refOf(id);
    const result = await look.ask(kind.name, () => syncObject(deps, { connectionId, ref, cause }));
    if (result.status === 'applied') return { action: 'repaired', detail: null };
    const after = await kind.compareOne(look, id);
    if (after.status !== 'drift') return { action: 'resolved', detail: null };
    return { action: 'failed', detail: `The state of Stripe was ${result.status}${reasonIn(result.reason)}.` };
  } catch (error) {
    return { action: 'failed', detail: unreadable(error) };
  }
}

function reasonIn(reason: string | null): string {
  return reason === null ? '' : ` (${reason})`;
}

/** Goes through a page that was interrupted a second time without recording anything twice. */
async function record<T extends { id: string }>(
  { db, clock }: { db: Database; clock: MirrorDeps['clock'] },
  run: RunRow,
  { connectionId, kind, id, drift }: { connectionId: string; kind: Kind<T>; id: string; drift: Drift },
  cause: string,
  action: DriftAction,
  detail: string | null,
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
      object_type: kind.name,
      object_id: id,
      cause,
      action,
      detail,
      fields: JSON.stringify(drift.fields),
      detected_at: new Date(clock.now()),
    })
    .onConflict((conflict) =>
      conflict.columns(['run_id', 'connection_id', 'object_type', 'object_id']).doUpdateSet({ action, detail }),
    )
    .execute();
}
