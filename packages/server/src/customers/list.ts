import type { Queryable } from '../platform/database.ts';
import { DEFAULT_LIMIT, decodeCursor, type Page, page } from '../platform/http/pages.ts';
import type { CustomerRow } from './find.ts';

/** The project's customers, newest first. */
export async function listCustomers(
  db: Queryable,
  projectId: string,
  { limit = DEFAULT_LIMIT, cursor }: { limit?: number | undefined; cursor?: string | undefined },
): Promise<Page<CustomerRow>> {
  let query = db
    .selectFrom('tollgate.customers')
    .selectAll()
    .where('project_id', '=', projectId)
    .orderBy('id', 'desc')
    .limit(limit + 1);
  if (cursor !== undefined) query = query.where('id', '<', decodeCursor(cursor));
  return page(await query.execute(), limit, (row) => row.id);
}
