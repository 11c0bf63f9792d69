import type { Database } from '../platform/database.ts';
import { DEFAULT_LIMIT, decodeCursor, type Page, page } from '../platform/http/pages.ts';
import type { KeyRow } from './insert-key.ts';

/** The keys of a project, newest first, those revoked and expired among them. */
export async function listKeys(
  db: Database,
  projectId: string,
  { limit = DEFAULT_LIMIT, cursor }: { limit?: number | undefined; cursor?: string | undefined },
): Promise<Page<KeyRow>> {
  let query = db
    .selectFrom('tollgate.api_keys')
    .selectAll()
    .where('project_id', '=', projectId)
    .orderBy('id', 'desc')
    .limit(limit + 1);
  if (cursor !== undefined) query = query.where('id', '<', decodeCursor(cursor));
  return page(await query.execute(), limit, (row) => row.id);
}
