import type { SubscriptionFact } from '@tollgate/core';
import type { Insertable } from 'kysely';
import type { Tx } from '../platform/database.ts';
import type { Schema } from '../schema.ts';

/** Remembers which products the customer has tried: a trial is given once, whatever becomes of the subscription. */
export async function recordTrials(tx: Tx, customerId: string, fact: SubscriptionFact): Promise<void> {
  await recordTrialsOf(tx, [{ customerId, fact }]);
}

/** The same for many. */
export async function recordTrialsOf(
  tx: Tx,
  tried: readonly { customerId: string; fact: SubscriptionFact }[],
): Promise<void> {
  const rows = new Map<string, Insertable<Schema['tollgate.trials']>>();
  for (const { customerId, fact } of tried) {
    if (fact.trialStart === null) continue;
    for (const { productId } of fact.items) {
      const key = `${customerId} ${productId}`;
      if (rows.has(key)) continue;
      const started_at = new Date(fact.trialStart);
      rows.set(key, { customer_id: customerId, product_id: productId, subscription_id: fact.id, started_at });
    }
  }
  if (rows.size === 0) return;
  await tx
    .insertInto('tollgate.trials')
    .values([...rows.values()])
    .onConflict((conflict) => conflict.columns(['customer_id', 'product_id']).doNothing())
    .execute();
}
