import type { Queryable } from '../platform/database.ts';
import { notFound } from '../platform/errors.ts';
import { DEFAULT_LIMIT, decodeCursor, type Page, page } from '../platform/http/pages.ts';
import type { PriceRow, ProductRow } from './views.ts';

export interface CatalogFilter {
  active?: boolean | undefined;
  limit?: number | undefined;
  cursor?: string | undefined;
}

/**
 * A product by Stripe's id.
 * @throws TollgateError `not_found`, also for one that Stripe deleted
 */
export async function getProduct(db: Queryable, projectId: string, id: string): Promise<ProductRow> {
  const row = await db
    .selectFrom('tollgate.products')
    .selectAll()
    .where('id', '=', id)
    .where('project_id', '=', projectId)
    .where('deleted', '=', false)
    .executeTakeFirst();
  if (row === undefined) throw notFound('product');
  return row;
}

/**
 * A price by Stripe's id.
 * @throws TollgateError `not_found`, also for one that Stripe deleted
 */
export async function getPrice(db: Queryable, projectId: string, id: string): Promise<PriceRow> {
  const row = await db
    .selectFrom('tollgate.prices')
    .selectAll()
    .where('id', '=', id)
    .where('project_id', '=', projectId)
    .where('deleted', '=', false)
    .executeTakeFirst();
  if (row === undefined) throw notFound('price');
  return row;
}

/** A product by where Stripe has it, whichever project's it is; one that Stripe deleted too. */
export async function productIn(db: Queryable, connectionId: string, id: string): Promise<ProductRow | undefined> {
  return await db
    .selectFrom('tollgate.products')
    .selectAll()
    .where('connection_id', '=', connectionId)
    .where('id', '=', id)
    .executeTakeFirst();
}

/** A price by where Stripe has it, whichever project's it is; one that Stripe deleted too. */
export async function priceIn(db: Queryable, connectionId: string, id: string): Promise<PriceRow | undefined> {
  return await db
    .selectFrom('tollgate.prices')
    .selectAll()
    .where('connection_id', '=', connectionId)
    .where('id', '=', id)
    .executeTakeFirst();
}

/** The project's products in order of their ids. */
export async function listProducts(db: Queryable, projectId: string, filter: CatalogFilter): Promise<Page<ProductRow>> {
  const limit = filter.limit ?? DEFAULT_LIMIT;
  let query = db
    .selectFrom('tollgate.products')
    .selectAll()
    .where('project_id', '=', projectId)
    .where('deleted', '=', false)
    .orderBy('id')
    .limit(limit + 1);
  if (filter.active !== undefined) query = query.where('active', '=', filter.active);
  if (filter.cursor !== undefined) query = query.where('id', '>', decodeCursor(filter.cursor));
  return page(await query.execute(), limit, (row) => row.id);
}

/** The project's prices in order of their ids. */
export async function listPrices(
  db: Queryable,
  projectId: string,
  filter: CatalogFilter & { product?: string | undefined; lookupKey?: string | undefined },
): Promise<Page<PriceRow>> {
  const limit = filter.limit ?? DEFAULT_LIMIT;
  let query = db
    .selectFrom('tollgate.prices')
    .selectAll()
    .where('project_id', '=', projectId)
    .where('deleted', '=', false)
    .orderBy('id')
    .limit(limit + 1);
  if (filter.product !== undefined) query = query.where('product_id', '=', filter.product);
  if (filter.lookupKey !== undefined) query = query.where('lookup_key', '=', filter.lookupKey);
  if (filter.active !== undefined) query = query.where('active', '=', filter.active);
  if (filter.cursor !== undefined) query = query.where('id', '>', decodeCursor(filter.cursor));
  return page(await query.execute(), limit, (row) => row.id);
}
