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
 * ledger as among the facts. Whoever recomputes afterwards gives nobody access for a payment that is disputed. A fact that
 * paid for another subscription of whoever has it stays, with its rows: it counts for both.
 */
export async function movePayments(tx: Tx, move: Move): Promise<void> {
  const { connectionId, subscriptionId, from, to } = move;
  if (from.length === 0) return;
  const owner = { project_id: to.projectId, customer_id: to.customerId };
  const facts = await moveFacts(tx, move);
  const paid = await tx
    .updateTable('tollgate.payments')
    .set(owner)
    .where('connection_id', '=', connectionId)
    .where(({ and, eb, exists, fn, not, or, selectFrom, val }) =>
      or([
        eb('id', '=', fn.any(val(facts))),
        and([
          eb('subscription_id', '=', subscriptionId),
          not(
            exists(
              selectFrom('tollgate.facts as fact')
                .where('fact.kind', '=', 'invoice_payment')
                .whereRef('fact.object_id', '=', 'tollgate.payments.id')
                .where('fact.customer_id', 'in', from),
            ),
          ),
        ]),
      ]),
    )
    .returning('id')
    .execute();
  const moved = [...facts, ...paid.map(({ id }) => id)];
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
async function moveFacts(tx: Tx, { connectionId, subscriptionId, from, to, cause, now }: Move): Promise<string[]> {
  const paidFor = JSON.stringify([{ subscriptionId }]);
  const isInLedger = sql<boolean>`exists (
    select from tollgate.payments payment
     where payment.connection_id = ${connectionId} and payment.id = facts.object_id
       and payment.subscription_id = ${subscriptionId})`;
  const staysTheirs = sql<boolean>`exists (
    select from jsonb_array_elements(facts.body -> 'lines') line
      join tollgate.facts own on own.kind = 'subscription' and own.object_id = line ->> 'subscriptionId'
     where own.customer_id = facts.customer_id and own.object_id <> ${subscriptionId})`;
  const moved = await tx
    .updateTable('tollgate.facts')
    .set({ project_id: to.projectId, customer_id: to.customerId, recorded_at: new Date(now) })
    .where('kind', '=', 'invoice_payment')
    .where('customer_id', 'in', from)
    .where(({ or }) => or([isInLedger, sql<boolean>`body -> 'lines' @> ${paidFor}::jsonb`]))
    .where(({ not }) => not(staysTheirs))
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
