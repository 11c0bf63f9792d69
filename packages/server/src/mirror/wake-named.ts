import { sql } from 'kysely';
import { wakeParked } from '../catalog/wake-parked.ts';
import type { Tx } from '../platform/database.ts';

/**
 * Many objects became known together: a job only for those that an event or a parked object waits for, or of whose
 * money something was heard while they were nobody's, which may have been a moment ago.
 */
export async function wakeNamed(tx: Tx, connectionId: string, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  const { rows } = await sql<{ id: string }>`
    select id from unnest(${[...ids]}::text[]) as known (id)
     where exists (
         select from tollgate.events event
          where event.connection_id = ${connectionId} and event.status in ('received', 'failed', 'parked')
            and (event.related_ids @> array[known.id] or event.object_id = known.id))
        or exists (
         select from tollgate.events event
          where event.connection_id = ${connectionId} and event.object_id = known.id
            and event.object_type = 'payment' and event.status = 'ignored')
        or exists (
         select from tollgate.parked_objects parked
          where parked.connection_id = ${connectionId} and parked.status = 'open'
            and (parked.object_id = known.id or parked.detail ->> 'stripe_customer_id' = known.id))`.execute(tx);
  for (const { id } of rows) await wakeParked(tx, connectionId, id);
}
