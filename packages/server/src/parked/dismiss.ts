import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import type { ParkedDeps } from './deps.ts';
import { getParked, type ParkedRow } from './find-parked.ts';
import { lockParked, notParked, syncLater } from './lock-parked.ts';

/**
 * An operator says that a parked object is not ours. It gives nothing, is no drift, and events about it are ignored; it
 * opens again when the evidence of whose it is changes.
 * @throws TollgateError `not_found`, `not_parked`
 */
export async function dismissParked(
  { db, clock }: ParkedDeps,
  { parkedId, reason }: { parkedId: string; reason: string },
  context: AuditContext,
): Promise<ParkedRow> {
  const parked = await getParked(db, parkedId);
  const now = clock.now();
  await db.transaction().execute(async (tx) => {
    const before = await lockParked(tx, parkedId);
    // Whoever did not hear the answer asks again.
    if (before.status === 'dismissed' && before.resolution === reason) return;
    if (before.status !== 'open') throw notParked(before);
    await tx
      .updateTable('tollgate.parked_objects')
      .set({ status: 'dismissed', resolution: reason, settled_at: new Date(now) })
      .where('id', '=', parkedId)
      .execute();
    // The events that wait for it are told.
    await syncLater(tx, parked, new Date());
    const { object_type: type, object_id: object, reason: parkedFor } = parked;
    const detail = { parked: parkedId, object, type, parked_for: parkedFor };
    await recordAudit(tx, { ...context, action: 'parked.dismissed', projectId: null, reason, detail }, now);
  });
  return await getParked(db, parkedId);
}
