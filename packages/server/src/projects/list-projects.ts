import type { Database } from '../platform/database.ts';
import { DEFAULT_LIMIT, decodeCursor, type Page, page } from '../platform/http/pages.ts';
import { type Project, projectOfRow } from './find-project.ts';

/** Every project of the installation, newest first. */
export async function listProjects(
  db: Database,
  { limit = DEFAULT_LIMIT, cursor }: { limit?: number | undefined; cursor?: string | undefined },
): Promise<Page<Project>> {
  let query = db
    .selectFrom('tollgate.projects')
    .selectAll()
    .orderBy('id', 'desc')
    .limit(limit + 1);
  if (cursor !== undefined) query = query.where('id', '<', decodeCursor(cursor));
  return page((await query.execute()).map(projectOfRow), limit, (project) => project.id);
}
