import { sql } from 'kysely';
import type { Queryable } from '../platform/database.ts';
import type { MappingOwner } from './mappings.ts';

export interface Holder {
  /** Tollgate's own `cust_…`. */
  id: string;
  externalId: string;
}

/**
 * Customers with a subscription or purchase, of whatever state, that the mappings of a product or price apply to: those
 * whom another mapping may concern. In order of their ids.
 * @param page.after - the last customer of the page before; '' for the first
 */
export async function holdersOf(
  db: Queryable,
  projectId: string,
  owner: MappingOwner,
  page: { after: string; limit: number },
): Promise<Holder[]> {
  const member = JSON.stringify([{ [owner.type === 'product' ? 'productId' : 'priceId']: owner.id }]);
  return await db
    .selectFrom('tollgate.customers as customer')
    .select(['customer.id', 'customer.external_id as externalId'])
    .where('customer.project_id', '=', projectId)
    .where('customer.id', '>', page.after)
    .where((where) =>
      where.exists(
        where
          .selectFrom('tollgate.facts as fact')
          .select('fact.object_id')
          .whereRef('fact.customer_id', '=', 'customer.id')
          .where(sql<boolean>`(fact.body -> 'items' @> ${member}::jsonb or fact.body -> 'lines' @> ${member}::jsonb)`),
      ),
    )
    .orderBy('customer.id')
    .limit(page.limit)
    .execute();
}
