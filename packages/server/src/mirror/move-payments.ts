import { sql } from 'kysely';
import type { Cause } from '../facts/cause.ts';
import type { Tx } from '../platform/database.ts';

export interface Move {
  connectionId: string;
  subscriptionId: string;
  /** Who had the subscription; locked. */
  from: readonly string[];
  /** Who has it now; locked. */
  to: { projectId: string; customerId: string };
  cause: Cause;
  /** Epoch milliseconds. */
  now: number;
}

/**
 * A subscription went to another customer: its payments go with it, and with them what became of their money, in the
 * ledger as among the facts. Whoever recomputes afterwards gives nobody access for a payment that is disputed.
 */
export async function movePayments(tx: Tx, move: Move): Promise<void> {
  const { connectionId, subscriptionId, from, to } = move;
  if (from.length === 0) return;
  const owner = { project_id: to.projectId, customer_id: to.customerId };
  const paid = await tx
    .updateTable('tollgate.payments')
    .set(owner)
    .where('connection_id', '=', connectionId)
    .where('subscription_id', '=', subscriptionId)
    .returning('id')
    .execute();
  const ids = paid.map(({ id }) => id);
  const moved = [...ids, ...(await moveFacts(tx, move, ids))];
  for (const table of ['tollgate.refunds', 'tollgate.disputes'] as const) {
    await tx
      .updateTable(table)
      .set(owner)
      .where('connection_id', '=', connectionId)
      .where('customer_id', 'in', from)
      .where((of) => of('payment_id', '=', of.fn.any(of.val(moved))))
      .execute();
  }
}

/** What has a refund or a dispute is a fact. @returns the payments' ids */
async function moveFacts(
  tx: Tx,
  { subscriptionId, from, to, cause, now }: Move,
  known: readonly string[],
): Promise<string[]> {
  const paidFor = JSON.stringify([{ subscriptionId }]);
  const moved = await tx
    .updateTable('tollgate.facts')
    .set({ project_id: to.projectId, customer_id: to.customerId, recorded_at: new Date(now) })
    .where('kind', '=', 'invoice_payment')
    .where('customer_id', 'in', from)
    .where(({ eb, fn, or, val }) =>
      or([eb('object_id', '=', fn.any(val([...known]))), sql<boolean>`body -> 'lines' @> ${paidFor}::jsonb`]),
    )
    .returning(['project_id', 'customer_id', 'kind', 'object_id', 'sequence', 'recorded_at'])
    .returning(sql<string>`body::text`.as('body'))
    .execute();
  if (moved.length === 0) return [];
  await tx
    .insertInto('tollgate.fact_versions')
    .values(moved.map((fact) => ({ ...fact, cause: JSON.stringify(cause) })))
    .execute();
  return moved.map(({ object_id }) => object_id);
}
