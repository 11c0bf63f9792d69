import type { Tx } from '../platform/database.ts';
import { notify } from '../platform/notify.ts';

/**
 * Says that what the project sells or unlocks is another: caches of the catalog drop what they hold when the
 * transaction commits.
 * @param now - epoch milliseconds
 */
export async function catalogChanged(tx: Tx, projectId: string, now: number): Promise<void> {
  await tx
    .updateTable('tollgate.projects')
    .set((set) => ({ catalog_version: set('catalog_version', '+', 1), updated_at: new Date(now) }))
    .where('id', '=', projectId)
    .execute();
  await notify(tx, 'tollgate_catalog', projectId);
}
