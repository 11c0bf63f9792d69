import type { Selectable } from 'kysely';
import type { Queryable } from '../platform/database.ts';
import type { Schema } from '../schema.ts';

/** A customer as stored: Tollgate's own id is `id`, the app's is `external_id`. */
export type CustomerRow = Selectable<Schema['tollgate.customers']>;

/**
 * A customer by the app's own id.
 * @returns undefined for one that the project has never seen
 */
export async function findCustomer(
  db: Queryable,
  projectId: string,
  externalId: string,
): Promise<CustomerRow | undefined> {
  return await db
    .selectFrom('tollgate.customers')
    .selectAll()
    .where('project_id', '=', projectId)
    .where('external_id', '=', externalId)
    .executeTakeFirst();
}
