import type { Queryable, Tx } from '../platform/database.ts';
import { getPrice, getProduct } from './find-product.ts';
import type { MappingOwner } from './mappings.ts';

/**
 * Whether what a mapping hangs on is paid for again and again. A product may have prices of both kinds: it is not.
 * @throws TollgateError `not_found`
 */
export async function isRecurring(db: Queryable, projectId: string, owner: MappingOwner): Promise<boolean> {
  switch (owner.type) {
    case 'product':
      await getProduct(db, projectId, owner.id);
      return false;
    case 'price':
      return (await getPrice(db, projectId, owner.id)).recurring_interval !== null;
    default:
      return owner.type satisfies never;
  }
}

/** Takes the product's or price's row until the transaction ends: whoever replaces its mappings comes one at a time. */
export async function lockOwner(tx: Tx, projectId: string, owner: MappingOwner): Promise<void> {
  const table = owner.type === 'product' ? 'tollgate.products' : 'tollgate.prices';
  await tx
    .selectFrom(table)
    .select('id')
    .where('project_id', '=', projectId)
    .where('id', '=', owner.id)
    .forUpdate()
    .execute();
}
