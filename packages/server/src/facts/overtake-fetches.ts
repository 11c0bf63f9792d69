import type { Tx } from '../platform/database.ts';

/**
 * Makes every fetch of an object that has begun so far too old to be applied: what is saved in this transaction was
 * answered to a change, which they may not have seen. One that has seen more than the change is lost with them, so the
 * object has to be fetched again afterwards. Comes first in the transaction: the object's row is locked before all else.
 */
export async function overtakeFetches(tx: Tx, connectionId: string, objectId: string): Promise<void> {
  await tx
    .insertInto('tollgate.object_sequences')
    .values({ connection_id: connectionId, object_id: objectId, issued: 1, applied: 1 })
    .onConflict((conflict) =>
      conflict.columns(['connection_id', 'object_id']).doUpdateSet((set) => {
        const next = set('tollgate.object_sequences.issued', '+', 1);
        return { issued: next, applied: next };
      }),
    )
    .execute();
}
