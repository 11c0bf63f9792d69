import type { Queryable } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';

/**
 * Refuses a second trial of a product. The mirror remembers every trial that it saw, so that neither the end of a
 * subscription nor a change of plan makes one forgotten.
 * @throws TollgateError `trial_already_used`, with the `product_ids` that were tried
 */
export async function refuseUsedTrial(
  db: Queryable,
  { customerId, products }: { customerId: string; products: readonly string[] },
): Promise<void> {
  if (products.length === 0) return;
  const tried = await db
    .selectFrom('tollgate.trials')
    .select('product_id')
    .where('customer_id', '=', customerId)
    .where('product_id', 'in', products)
    .orderBy('product_id')
    .execute();
  if (tried.length === 0) return;
  const detail = 'The customer has had a trial of this product. Leave trial_period_days out.';
  throw new TollgateError('trial_already_used', detail, [{ path: 'trial_period_days', message: 'was used already' }], {
    product_ids: tried.map((row) => row.product_id),
  });
}
