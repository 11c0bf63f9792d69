import { sql } from 'kysely';
import type { Database } from '../platform/database.ts';
import { deleteInBatches } from '../platform/in-batches.ts';

/** By the database's clock, as they are stamped. */
const KEPT = '30 days';

/** Removes recomputations 30 days after they ended: they tell of progress, and of nothing else. */
export async function forgetOldRecomputations(db: Database, _now: number, signal: AbortSignal): Promise<void> {
  await deleteInBatches(signal, async (limit) => {
    const { numAffectedRows = 0n } = await sql`
      delete from tollgate.recomputations where id in (
        select id from tollgate.recomputations
         where status = 'completed' and finished_at < now() - ${KEPT}::interval limit ${limit})`.execute(db);
    return numAffectedRows;
  });
}
