import type { Tx } from '../platform/database.ts';

/**
 * Takes the first numbers of those objects of a list of which nobody has ever taken one: no other fetch of them is under
 * way, and whoever fetches one later has a higher number.
 * @returns their ids
 */
export async function takeFirstNumbers(tx: Tx, connectionId: string, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set();
  const rows = await tx
    .insertInto('tollgate.object_sequences')
    .values([...ids].sort().map((id) => ({ connection_id: connectionId, object_id: id, issued: 1, applied: 0 })))
    .onConflict((conflict) => conflict.columns(['connection_id', 'object_id']).doNothing())
    .returning('object_id')
    .execute();
  return new Set(rows.map(({ object_id }) => object_id));
}

/** What the list showed of them is applied. */
export async function markFirstApplied(tx: Tx, connectionId: string, ids: readonly string[], at: Date): Promise<void> {
  if (ids.length === 0) return;
  await tx
    .updateTable('tollgate.object_sequences')
    .set({ applied: 1, applied_at: at })
    .where('connection_id', '=', connectionId)
    .where((of) => of('object_id', '=', of.fn.any(of.val([...ids]))))
    .execute();
}
