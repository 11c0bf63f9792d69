import type { Database } from '../platform/database.ts';

export const KEPT_MS = 30 * 24 * 60 * 60 * 1000;
const BATCH = 5_000;

/** Removes notices after 30 days, and what was to be done with them. The versions that they told of stay. */
export async function forgetOldNotices(db: Database, now: number): Promise<void> {
  const before = new Date(now - KEPT_MS);
  for (;;) {
    const { numDeletedRows } = await db
      .deleteFrom('tollgate.notices')
      .where('id', 'in', (of) =>
        of.selectFrom('tollgate.notices').select('id').where('changed_at', '<', before).limit(BATCH),
      )
      .executeTakeFirstOrThrow();
    if (numDeletedRows < BATCH) return;
  }
}
