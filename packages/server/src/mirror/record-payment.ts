import type { PurchaseFact } from '@tollgate/core';
import { sql } from 'kysely';
import type { Tx } from '../platform/database.ts';
import type { SoldLine } from '../schema.ts';

/** One payment in the ledger. Moments are epoch milliseconds, amounts integer minor units. */
export interface PaymentRecord {
  /** Business key: the payment intent, or the checkout session when nothing had to be paid. */
  id: string;
  projectId: string;
  customerId: string;
  status: PurchaseFact['status'];
  currency: string;
  amountMinor: number;
  createdAt: number;
  paidAt: number | null;
  lines: readonly SoldLine[];
  checkoutSessionId: string | null;
  chargeId: string | null;
  invoiceId: string | null;
  subscriptionId: string | null;
  periodStart: number | null;
  periodEnd: number | null;
}

/** What one event knows of a payment and the next does not, stays. */
const KEPT = ['checkout_session_id', 'charge_id', 'invoice_id', 'subscription_id'] as const;
const STATE = [
  'project_id',
  'customer_id',
  'status',
  'currency',
  'amount',
  'created_at',
  'paid_at',
  'lines',
  'period_start',
  'period_end',
] as const;
type Column = (typeof KEPT)[number] | (typeof STATE)[number];

/**
 * Writes down payments, each once however often it is heard of.
 * @param payments - no two with the same id
 * @param of - `part`: what is known is only a part of what was paid for, and its invoice tells the rest. `invoice`: what an
 *   invoice tells, which is a part where the payment is known by another invoice; and whose it is says the invoice only
 *   where no fact does
 * @returns how many were new, or are different now
 */
export async function recordPayments(
  tx: Tx,
  connectionId: string,
  payments: readonly PaymentRecord[],
  of: 'whole' | 'part' | 'invoice' = 'whole',
): Promise<number> {
  if (payments.length === 0) return 0;
  // In the order of ids, so that two who write several do not wait in a circle.
  const rows = [...payments].sort((a, b) => (a.id < b.id ? -1 : 1));
  const { numInsertedOrUpdatedRows } = await tx
    .insertInto('tollgate.payments')
    .values(
      rows.map((payment) => ({
        connection_id: connectionId,
        id: payment.id,
        project_id: payment.projectId,
        customer_id: payment.customerId,
        status: payment.status,
        currency: payment.currency,
        amount: payment.amountMinor,
        created_at: new Date(payment.createdAt),
        paid_at: dateOrNull(payment.paidAt),
        lines: JSON.stringify(payment.lines),
        checkout_session_id: payment.checkoutSessionId,
        charge_id: payment.chargeId,
        invoice_id: payment.invoiceId,
        subscription_id: payment.subscriptionId,
        period_start: dateOrNull(payment.periodStart),
        period_end: dateOrNull(payment.periodEnd),
      })),
    )
    .onConflict((conflict) => {
      const names = of === 'part' ? KEPT : [...KEPT, ...STATE];
      const update = conflict
        .columns(['connection_id', 'id'])
        .doUpdateSet(Object.fromEntries(names.map((name) => [name, fresh(name)])))
        .where(saysSomethingNew(names));
      return of === 'invoice' ? update.where(ITS_TO_TELL) : update;
    })
    .executeTakeFirst();
  return Number(numInsertedOrUpdatedRows ?? 0);
}

/** A renewal is heard of many times: nothing is written where nothing is new. */
function saysSomethingNew(names: readonly Column[]) {
  const known = names.map((name) => sql.ref(`payments.${name}`));
  return sql<boolean>`(${sql.join(names.map(fresh))}) is distinct from (${sql.join(known)})`;
}

/** Of a payment that paid several invoices the row names one; what is a fact is written down with all of them. */
const ITS_TO_TELL = sql<boolean>`(payments.invoice_id is null or payments.invoice_id = excluded.invoice_id)
  and (payments.customer_id = excluded.customer_id or not exists (
    select from tollgate.facts fact
     where fact.kind = 'invoice_payment' and fact.object_id = payments.id and fact.customer_id = payments.customer_id))`;

function fresh(name: Column) {
  const heard = sql.ref(`excluded.${name}`);
  return isKept(name) ? sql`coalesce(${heard}, ${sql.ref(`payments.${name}`)})` : heard;
}

function isKept(name: Column): boolean {
  return (KEPT as readonly Column[]).includes(name);
}

function dateOrNull(at: number | null): Date | null {
  return at === null ? null : new Date(at);
}
