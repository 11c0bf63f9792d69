import type { PriceRow } from '../catalog/views.ts';
import type { Queryable } from '../platform/database.ts';
import { notFound, TollgateError } from '../platform/errors.ts';

/** One line of what somebody wants to buy. */
export interface Line {
  price: PriceRow;
  /** null for a metered price: what is used is counted later. */
  quantity: number | null;
  /** Where the price stands in the request, for errors: `line_items.0.price`. */
  path: string;
}

/** A price by Stripe's id or by the project's lookup key. */
export type PriceName = { id: string } | { lookupKey: string };

/**
 * A price that the project offers now.
 * @param path - the field that named it, for the error
 * @throws TollgateError `not_found` (also another project's, and a deleted one), `price_inactive`
 */
export async function getOfferedPrice(
  db: Queryable,
  projectId: string,
  name: PriceName,
  path: string,
): Promise<PriceRow> {
  const row = await db
    .selectFrom('tollgate.prices as price')
    .innerJoin('tollgate.products as product', (join) =>
      join.onRef('product.id', '=', 'price.product_id').onRef('product.connection_id', '=', 'price.connection_id'),
    )
    .selectAll('price')
    .select('product.active as product_active')
    .where('price.project_id', '=', projectId)
    .where('price.deleted', '=', false)
    .where('product.deleted', '=', false)
    .where((where) => ('id' in name ? where('price.id', '=', name.id) : where('price.lookup_key', '=', name.lookupKey)))
    .executeTakeFirst();
  if (row === undefined) throw notFound('price');
  const { product_active, ...price } = row;
  if (price.active && product_active) return price;
  const what = price.active ? `The product of the price ${price.id}` : `The price ${price.id}`;
  throw new TollgateError('price_inactive', `${what} is archived. Offer another one, or activate it again.`, [
    { path, message: 'is not active' },
  ]);
}
