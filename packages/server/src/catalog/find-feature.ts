import type { Queryable } from '../platform/database.ts';
import { notFound } from '../platform/errors.ts';
import { DEFAULT_LIMIT, decodeCursor, type Page, page } from '../platform/http/pages.ts';
import type { FeatureRow } from './views.ts';

/**
 * A feature by its code.
 * @throws TollgateError `not_found`
 */
export async function getFeature(db: Queryable, projectId: string, code: string): Promise<FeatureRow> {
  const row = await db
    .selectFrom('tollgate.features')
    .selectAll()
    .where('project_id', '=', projectId)
    .where('code', '=', code)
    .executeTakeFirst();
  if (row === undefined) throw notFound('feature');
  return row;
}

/** The project's features in order of their codes. */
export async function listFeatures(
  db: Queryable,
  projectId: string,
  { limit = DEFAULT_LIMIT, cursor }: { limit?: number | undefined; cursor?: string | undefined },
): Promise<Page<FeatureRow>> {
  let query = db
    .selectFrom('tollgate.features')
    .selectAll()
    .where('project_id', '=', projectId)
    .orderBy('code')
    .limit(limit + 1);
  if (cursor !== undefined) query = query.where('code', '>', decodeCursor(cursor));
  return page(await query.execute(), limit, (row) => row.code);
}
