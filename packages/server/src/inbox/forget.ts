import { sql } from 'kysely';
import type { Database } from '../platform/database.ts';
import { deleteInBatches } from '../platform/in-batches.ts';

/** Three times as long as Stripe keeps them. */
export const KEPT_MS = 90 * 24 * 60 * 60 * 1000;

/**
 * Removes events 90 days after they came, and were last looked at, if they are processed or ignored; those that wait, or
 * that somebody has to look at, stay. One that came again after that would be taken for a new one, and find that nothing
 * has changed: its object is fetched, whatever it says.
 */
export async function forgetOldEvents(db: Database, now: number, signal: AbortSignal): Promise<void> {
  const before = new Date(now - KEPT_MS);
  await deleteInBatches(signal, async (limit) => {
    // One that is replayed just now is left out.
    const { numAffectedRows = 0n } = await sql`
      delete from tollgate.events where (connection_id, id) in (
        select connection_id, id from tollgate.events
         where status in ('processed', 'ignored') and received_at < ${before} and processed_at < ${before}
         order by received_at limit ${limit} for update skip locked)`.execute(db);
    return numAffectedRows;
  });
}
