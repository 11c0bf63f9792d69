import type { Queryable, Tx } from '../platform/database.ts';
import { notFound } from '../platform/errors.ts';
import { DEFAULT_LIMIT, decodeCursor, type Page, page } from '../platform/http/pages.ts';
import type { EndpointRow } from './secrets.ts';

/** @throws TollgateError `not_found` */
export async function getEndpoint(db: Queryable, projectId: string, id: string): Promise<EndpointRow> {
  return found(await own(db, projectId).where('id', '=', id).executeTakeFirst());
}

/** The same, with its row locked until the transaction ends. */
export async function lockEndpoint(tx: Tx, projectId: string, id: string): Promise<EndpointRow> {
  return found(await own(tx, projectId).where('id', '=', id).forUpdate().executeTakeFirst());
}

/** The project's endpoints, newest first. */
export async function listEndpoints(
  db: Queryable,
  projectId: string,
  { limit = DEFAULT_LIMIT, cursor }: { limit?: number | undefined; cursor?: string | undefined },
): Promise<Page<EndpointRow>> {
  let query = own(db, projectId)
    .orderBy('id', 'desc')
    .limit(limit + 1);
  if (cursor !== undefined) query = query.where('id', '<', decodeCursor(cursor));
  return page(await query.execute(), limit, ({ id }) => id);
}

function own(db: Queryable, projectId: string) {
  return db
    .selectFrom('tollgate.webhook_endpoints')
    .selectAll()
    .where('project_id', '=', projectId)
    .where('deleted_at', 'is', null);
}

function found(row: EndpointRow | undefined): EndpointRow {
  if (row === undefined) throw notFound('webhook endpoint');
  return row;
}
