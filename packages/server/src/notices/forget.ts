import type { Database } from '../platform/database.ts';
import { deleteInBatches } from '../platform/in-batches.ts';

export const KEPT_MS = 30 * 24 * 60 * 60 * 1000;

/** Removes notices after 30 days, and what was to be done with them. The versions that they told of stay. */
export async function forgetOldNotices(db: Database, now: number, signal: AbortSignal): Promise<void> {
  const before = new Date(now - KEPT_MS);
  await deleteInBatches(signal, async (limit) => {
    const { numDeletedRows } = await db
      .deleteFrom('tollgate.notices')
      .where('id', 'in', (of) =>
        of.selectFrom('tollgate.notices').select('id').where('changed_at', '<', before).limit(limit),
      )
      .executeTakeFirstOrThrow();
    return numDeletedRows;
  });
}
