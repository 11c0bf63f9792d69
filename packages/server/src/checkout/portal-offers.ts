import type { Queryable } from '../platform/database.ts';

/** What the portal lets people switch to. */
export interface PortalOffers {
  products: readonly OfferedProduct[];
  /** Whether amounts follow the quantity that is bought, so that people may want to change it. */
  byQuantity: boolean;
}

export interface OfferedProduct {
  product: string;
  prices: readonly OfferedPrice[];
}

export interface OfferedPrice {
  id: string;
  /** Currency and billing interval: `eur 1 month`. */
  pace: string;
}

/** Stripe's bound. */
const MAX_PRODUCTS = 10;

/**
 * The project's own active recurring prices. Of more than ten products the oldest are listed: selling something new
 * takes nothing out of the portal.
 */
export async function portalOffers(db: Queryable, projectId: string): Promise<PortalOffers> {
  const prices = await db
    .selectFrom('tollgate.prices as price')
    .innerJoin('tollgate.products as product', (join) =>
      join.onRef('product.id', '=', 'price.product_id').onRef('product.connection_id', '=', 'price.connection_id'),
    )
    .select([
      'price.id',
      'price.product_id',
      'price.currency',
      'price.recurring_interval',
      'price.recurring_interval_count',
    ])
    .where('price.project_id', '=', projectId)
    .where('price.active', '=', true)
    .where('price.deleted', '=', false)
    .where('product.active', '=', true)
    .where('product.deleted', '=', false)
    .where('price.recurring_interval', 'is not', null)
    .where('price.usage_type', 'is distinct from', 'metered')
    .orderBy('product.created_at')
    .orderBy('product.id')
    .orderBy('price.created_at')
    .orderBy('price.id')
    .execute();
  const products = new Map<string, OfferedPrice[]>();
  for (const price of prices) {
    const offered = products.get(price.product_id) ?? [];
    const pace = `${price.currency} ${price.recurring_interval_count ?? 1} ${price.recurring_interval}`;
    products.set(price.product_id, [...offered, { id: price.id, pace }]);
  }
  const perUnit = await db
    .selectFrom('tollgate.mappings')
    .select('code')
    .where('project_id', '=', projectId)
    .where('per_unit', '=', true)
    .executeTakeFirst();
  return {
    products: [...products].slice(0, MAX_PRODUCTS).map(([product, offered]) => ({ product, prices: offered })),
    byQuantity: perUnit !== undefined,
  };
}

/** The offers with the newest price alone where several of a product cost the same currency at the same interval. */
export function withoutRivals(offers: PortalOffers): PortalOffers {
  return {
    ...offers,
    products: offers.products.map(({ product, prices }) => ({
      product,
      prices: prices.filter(({ pace }, index) => !prices.slice(index + 1).some((later) => later.pace === pace)),
    })),
  };
}
