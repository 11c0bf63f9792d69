import { sql } from 'kysely';
import type { Queryable } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';

/**
 * Refuses a second trial of a product. Every state that a subscription of the customer ever had is looked at, so that
 * neither its end nor a change of plan makes the trial forgotten.
 * @throws TollgateError `trial_already_used`, with the `product_ids` that were tried
 */
export async function refuseUsedTrial(
  db: Queryable,
  { customerId, products }: { customerId: string; products: readonly string[] },
): Promise<void> {
  const tried = await triedProducts(db, customerId, products);
  if (tried.length === 0) return;
  const detail = 'The customer has had a trial of this product. Leave trial_period_days out.';
  throw new TollgateError('trial_already_used', detail, [{ path: 'trial_period_days', message: 'was used already' }], {
    product_ids: tried,
  });
}

async function triedProducts(db: Queryable, customerId: string, products: readonly string[]): Promise<string[]> {
  const { rows } = await sql<{ product_id: string }>`
    select distinct item ->> 'productId' as product_id
      from tollgate.fact_versions version, jsonb_array_elements(version.body -> 'items') item
     where version.customer_id = ${customerId} and version.kind = 'subscription'
       and version.body ->> 'trialStart' is not null and item ->> 'productId' = any(${[...products]})
     order by product_id`.execute(db);
  return rows.map((row) => row.product_id);
}
