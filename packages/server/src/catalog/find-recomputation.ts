import type { Selectable } from 'kysely';
import type { Queryable } from '../platform/database.ts';
import { notFound } from '../platform/errors.ts';
import type { Schema } from '../schema.ts';

export type RecomputationRow = Selectable<Schema['tollgate.recomputations']>;

/**
 * How far the recomputation is that a change of the catalog or policy has set off.
 * @throws TollgateError `not_found`
 */
export async function getRecomputation(db: Queryable, projectId: string, id: string): Promise<RecomputationRow> {
  const row = await db
    .selectFrom('tollgate.recomputations')
    .selectAll()
    .where('id', '=', id)
    .where('project_id', '=', projectId)
    .executeTakeFirst();
  if (row === undefined) throw notFound('recomputation');
  return row;
}
