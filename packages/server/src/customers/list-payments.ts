import type { Selectable } from 'kysely';
import type { Queryable } from '../platform/database.ts';
import { DEFAULT_LIMIT, type Page, page, placeIn, placeOf } from '../platform/http/pages.ts';
import type { Schema } from '../schema.ts';

export type PaymentRow = Selectable<Schema['tollgate.payments']>;
export type RefundRow = Selectable<Schema['tollgate.refunds']>;
export type DisputeRow = Selectable<Schema['tollgate.disputes']>;

/** A payment with everything that happened to its money afterwards, oldest first. */
export interface PaymentWithMoneyBack extends PaymentRow {
  refunds: RefundRow[];
  disputes: DisputeRow[];
}

/** @param customerId - Tollgate's own `cust_…` @returns the customer's payments, newest first */
export async function listPayments(
  db: Queryable,
  customerId: string,
  { limit = DEFAULT_LIMIT, cursor }: { limit?: number | undefined; cursor?: string | undefined },
): Promise<Page<PaymentWithMoneyBack>> {
  let query = db
    .selectFrom('tollgate.payments')
    .selectAll()
    .where('customer_id', '=', customerId)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit + 1);
  if (cursor !== undefined) {
    const { at, ids } = placeIn(cursor, 1);
    query = query.where(({ eb, refTuple, tuple }) => eb(refTuple('created_at', 'id'), '<', tuple(at, ids[0] ?? '')));
  }
  const found = page(await query.execute(), limit, (row) => placeOf({ at: row.created_at, ids: [row.id] }));
  const paymentIds = ['', ...found.data.map(({ id }) => id)];
  const refunds = await db
    .selectFrom('tollgate.refunds')
    .selectAll()
    .where('customer_id', '=', customerId)
    .where('payment_id', 'in', paymentIds)
    .orderBy('created_at')
    .orderBy('id')
    .execute();
  const disputes = await db
    .selectFrom('tollgate.disputes')
    .selectAll()
    .where('customer_id', '=', customerId)
    .where('payment_id', 'in', paymentIds)
    .orderBy('created_at')
    .orderBy('id')
    .execute();
  return {
    ...found,
    data: found.data.map((payment) => ({
      ...payment,
      refunds: refunds.filter((refund) => refund.payment_id === payment.id),
      disputes: disputes.filter((dispute) => dispute.payment_id === payment.id),
    })),
  };
}
