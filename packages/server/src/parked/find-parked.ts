import type { Selectable } from 'kysely';
import { sql } from 'kysely';
import type { Queryable } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';
import { DEFAULT_LIMIT, decodeCursor, type Page, page } from '../platform/http/pages.ts';
import type { Schema } from '../schema.ts';

/** A parked object, and whom an operator attached it to. */
export type ParkedRow = Selectable<Schema['tollgate.parked_objects']> & {
  attached_project_id: string | null;
  /** The app's own id. */
  attached_external_id: string | null;
};

export interface ParkedFilter {
  status: ParkedRow['status'];
  reason?: string | undefined;
  objectType?: string | undefined;
  objectId?: string | undefined;
  /** Only those that some evidence ties to the project. */
  projectId?: string | undefined;
  limit?: number | undefined;
  cursor?: string | undefined;
}

/** Parked objects, last parked first. */
export async function listParked(db: Queryable, filter: ParkedFilter): Promise<Page<ParkedRow>> {
  const limit = filter.limit ?? DEFAULT_LIMIT;
  let query = parked(db)
    .where('parked.status', '=', filter.status)
    .orderBy('parked.id', 'desc')
    .limit(limit + 1);
  if (filter.reason !== undefined) query = query.where('parked.reason', '=', filter.reason);
  if (filter.objectType !== undefined) query = query.where('parked.object_type', '=', filter.objectType);
  if (filter.objectId !== undefined) query = query.where('parked.object_id', '=', filter.objectId);
  if (filter.projectId !== undefined) {
    query = query.where(sql<boolean>`parked.project_ids @> array[${filter.projectId}]::text[]`);
  }
  if (filter.cursor !== undefined) query = query.where('parked.id', '<', decodeCursor(filter.cursor));
  return page(await query.execute(), limit, (row) => row.id);
}

/** @throws TollgateError `not_found` */
export async function getParked(db: Queryable, id: string): Promise<ParkedRow> {
  const row = await parked(db).where('parked.id', '=', id).executeTakeFirst();
  if (row === undefined) {
    throw new TollgateError(
      'not_found',
      'There is no such parked object. GET /api/v1/admin/parked lists those there are.',
    );
  }
  return row;
}

/** The app's own ids of the customers that the evidence names, by their `cust_…`. */
export async function namedCustomers(db: Queryable, rows: readonly ParkedRow[]): Promise<Map<string, string>> {
  const ids = rows.flatMap(({ candidates }) => candidates.flatMap(({ customer_id: id }) => (id === null ? [] : [id])));
  if (ids.length === 0) return new Map();
  const found = await db
    .selectFrom('tollgate.customers')
    .select(['id', 'external_id'])
    .where('id', 'in', [...new Set(ids)])
    .execute();
  return new Map(found.map((row) => [row.id, row.external_id]));
}

function parked(db: Queryable) {
  return db
    .selectFrom('tollgate.parked_objects as parked')
    .leftJoin('tollgate.attachments as attachment', (join) =>
      join
        .onRef('attachment.connection_id', '=', 'parked.connection_id')
        .onRef('attachment.object_id', '=', 'parked.object_id'),
    )
    .leftJoin('tollgate.customers as customer', 'customer.id', 'attachment.customer_id')
    .selectAll('parked')
    .select(['attachment.project_id as attached_project_id', 'customer.external_id as attached_external_id']);
}
