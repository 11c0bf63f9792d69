import type { SubscriptionFact } from '@tollgate/core';
import type { Tx } from '../platform/database.ts';

/** Remembers which products the customer has tried: a trial is given once, whatever becomes of the subscription. */
export async function recordTrials(tx: Tx, customerId: string, fact: SubscriptionFact): Promise<void> {
  const { trialStart } = fact;
  const products = [...new Set(fact.items.map((item) => item.productId))];
  if (trialStart === null || products.length === 0) return;
  await tx
    .insertInto('tollgate.trials')
    .values(
      products.map((productId) => ({
        customer_id: customerId,
        product_id: productId,
        subscription_id: fact.id,
        started_at: new Date(trialStart),
      })),
    )
    .onConflict((conflict) => conflict.columns(['customer_id', 'product_id']).doNothing())
    .execute();
}
