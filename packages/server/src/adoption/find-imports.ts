import { sql } from 'kysely';
import type { Database } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';
import { DEFAULT_LIMIT, decodeCursor, type Page, page } from '../platform/http/pages.ts';
import type { ImportRow } from './start-import.ts';

/** An import with how many customers are entitled to which feature through it, or would be. */
export type ImportWithGains = ImportRow & { entitled: { feature: string; customers: number }[] };

interface Paging {
  limit?: number | undefined;
  cursor?: string | undefined;
}

/** Imports, newest first. */
export async function listImports(
  db: Database,
  { projectId, limit = DEFAULT_LIMIT, cursor }: Paging & { projectId?: string | undefined },
): Promise<Page<ImportWithGains>> {
  let query = db
    .selectFrom('tollgate.imports')
    .selectAll()
    .orderBy('id', 'desc')
    .limit(limit + 1);
  if (projectId !== undefined) query = query.where('project_id', '=', projectId);
  if (cursor !== undefined) query = query.where('id', '<', decodeCursor(cursor));
  const found = page(await query.execute(), limit, (row) => row.id);
  return { ...found, data: await withGains(db, found.data) };
}

/** @throws TollgateError `not_found` */
export async function getImport(db: Database, id: string): Promise<ImportWithGains> {
  const row = await db.selectFrom('tollgate.imports').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) {
    throw new TollgateError('not_found', 'There is no such import. GET /api/v1/admin/imports lists those there were.');
  }
  const [found] = await withGains(db, [row]);
  return found as ImportWithGains;
}

export interface GainedCustomer {
  external_id: string;
  features: string[];
}

/** Who is entitled to what through an import, or would be, in order of the app's own ids. */
export async function listGains(
  db: Database,
  importId: string,
  { limit = DEFAULT_LIMIT, cursor, feature }: Paging & { feature?: string | undefined },
): Promise<Page<GainedCustomer>> {
  let query = db
    .selectFrom('tollgate.import_gains as gain')
    .select(['gain.external_id', sql<string[]>`array_agg(gain.feature order by gain.feature)`.as('features')])
    .where('gain.import_id', '=', importId)
    .groupBy('gain.external_id')
    .orderBy('gain.external_id')
    .limit(limit + 1);
  if (feature !== undefined) query = query.having(sql<boolean>`bool_or(gain.feature = ${feature})`);
  if (cursor !== undefined) query = query.where('gain.external_id', '>', decodeCursor(cursor));
  return page(await query.execute(), limit, (row) => row.external_id);
}

export interface ParkedByImport {
  object_type: string;
  object_id: string;
  reason: string;
}

/** What an import could attribute to nobody, or could not have, in order of type and id. */
export async function listParkedBy(
  db: Database,
  importId: string,
  { limit = DEFAULT_LIMIT, cursor }: Paging,
): Promise<Page<ParkedByImport>> {
  let query = db
    .selectFrom('tollgate.import_parked')
    .select(['object_type', 'object_id', 'reason'])
    .where('import_id', '=', importId)
    .orderBy('object_type')
    .orderBy('object_id')
    .limit(limit + 1);
  if (cursor !== undefined) {
    const [type = '', id = ''] = decodeCursor(cursor).split('\n');
    query = query.where(({ eb, refTuple, tuple }) => eb(refTuple('object_type', 'object_id'), '>', tuple(type, id)));
  }
  return page(await query.execute(), limit, (row) => `${row.object_type}\n${row.object_id}`);
}

async function withGains(db: Database, rows: readonly ImportRow[]): Promise<ImportWithGains[]> {
  if (rows.length === 0) return [];
  const gains = await db
    .selectFrom('tollgate.import_gains')
    .select((of) => ['import_id', 'feature', of.fn.countAll<number>().as('customers')])
    .where(
      'import_id',
      'in',
      rows.map(({ id }) => id),
    )
    .groupBy(['import_id', 'feature'])
    .orderBy('feature')
    .execute();
  return rows.map((row) => ({
    ...row,
    entitled: gains
      .filter(({ import_id }) => import_id === row.id)
      .map(({ feature, customers }) => ({ feature, customers })),
  }));
}
