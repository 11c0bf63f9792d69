import { sql } from 'kysely';
import type { Tx } from '../platform/database.ts';
import type { ObjectRef, ObjectType } from './types.ts';

/** Parked objects that an object of Stripe's is evidence for: now that it is known, they are worth another look. */
export async function parkedWaitingFor(tx: Tx, connectionId: string, objectId: string): Promise<ObjectRef[]> {
  const list = JSON.stringify([objectId]);
  const rows = await tx
    .selectFrom('tollgate.parked_objects')
    .select(['object_type', 'object_id'])
    .where('status', '=', 'open')
    .where('connection_id', '=', connectionId)
    .where((where) =>
      where.or([
        where('object_id', '=', objectId),
        sql<boolean>`detail ->> 'stripe_customer_id' = ${objectId}`,
        sql<boolean>`detail -> 'price_ids' @> ${list}::jsonb`,
        sql<boolean>`detail -> 'product_ids' @> ${list}::jsonb`,
      ]),
    )
    .orderBy('object_id')
    .execute();
  return rows.map(({ object_type, object_id }) => ({ type: object_type as ObjectType, id: object_id }));
}
