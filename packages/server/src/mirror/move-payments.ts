import { sql } from 'kysely';
import type { Cause } from '../facts/cause.ts';
import { enqueueSync } from '../facts/enqueue-sync.ts';
import type { Tx } from '../platform/database.ts';

export interface Move {
  connectionId: string;
  subscriptionId: string;
  /** Who had the subscription; locked. */
  from: readonly string[];
  to: { projectId: string; customerId: string };
}

/**
 * A subscription went to another customer: its payments go with it in the ledger, and those that are facts are looked at
 * again after the commit, which takes them, with their refunds and disputes, to whoever has the subscription now.
 */
export async function movePayments(tx: Tx, { connectionId, subscriptionId, from, to }: Move): Promise<void> {
  if (from.length === 0) return;
  await tx
    .updateTable('tollgate.payments')
    .set({ project_id: to.projectId, customer_id: to.customerId })
    .where('connection_id', '=', connectionId)
    .where('subscription_id', '=', subscriptionId)
    .execute();
  const paidFor = JSON.stringify([{ subscriptionId }]);
  const facts = await tx
    .selectFrom('tollgate.facts')
    .select('object_id')
    .where('kind', '=', 'invoice_payment')
    .where('customer_id', 'in', from)
    .where(sql<boolean>`body -> 'lines' @> ${paidFor}::jsonb`)
    .orderBy('object_id')
    .execute();
  // Not for the sake of an event: such a job does nothing once its event has been answered.
  const cause: Cause = { type: 'customer', id: to.customerId };
  for (const { object_id: id } of facts) {
    await enqueueSync(tx, { connectionId, ref: { type: 'payment', id }, cause });
  }
}
