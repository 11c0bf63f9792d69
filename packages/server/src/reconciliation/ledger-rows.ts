import { idOrNull } from '../mirror/parse-shape.ts';
import type { PaymentRecord } from '../mirror/record-payment.ts';
import type { Stripe } from '../stripe/types.ts';
import type { LedgerRow, Look } from './kind.ts';

/** What the ledger holds of payments, by their ids. */
export async function ledgerRows(
  { db, connection }: Look,
  ids: readonly string[],
): Promise<ReadonlyMap<string, LedgerRow>> {
  if (ids.length === 0) return new Map();
  const rows = await db
    .selectFrom('tollgate.payments')
    .select(['id', 'customer_id', 'currency', 'amount', 'invoice_id'])
    .select(({ exists, selectFrom }) =>
      exists(
        selectFrom('tollgate.facts as fact')
          .where('fact.kind', '=', 'invoice_payment')
          .whereRef('fact.object_id', '=', 'tollgate.payments.id')
          .whereRef('fact.customer_id', '=', 'tollgate.payments.customer_id'),
      ).as('is_fact'),
    )
    .where('connection_id', '=', connection.id)
    .where((of) => of('id', '=', of.fn.any(of.val([...ids]))))
    .execute();
  return new Map(
    rows.map(({ id, customer_id: customerId, currency, amount, invoice_id: invoiceId, is_fact }) => [
      id,
      { id, customerId, currency, amountMinor: Number(amount), invoiceId, isFact: is_fact === true },
    ]),
  );
}

/** Under which ids the payments that came with an invoice may be in the ledger. */
export function paymentIdsOf({ payments }: Stripe.Invoice): string[] {
  return (payments?.data ?? [])
    .flatMap(({ payment }) => [payment.payment_intent, payment.charge, payment.payment_record])
    .map(idOrNull)
    .filter((id) => id !== null);
}

/**
 * Whether the ledger holds a payment, for whoever it belongs to. Of one that paid several invoices each tells a part, and
 * the row names one of them. Whose a fact is, is compared as such.
 */
export function holds(row: LedgerRow | undefined, { customerId, amountMinor, invoiceId }: PaymentRecord): boolean {
  if (row === undefined || row.invoiceId === null) return false;
  if (row.invoiceId !== invoiceId) return true;
  return (row.isFact || row.customerId === customerId) && row.amountMinor >= amountMinor;
}

/** As a drift shows it. */
export function shownEntry(entry: LedgerRow | PaymentRecord | undefined): object | null {
  if (entry === undefined) return null;
  const { id, customerId, currency, amountMinor, invoiceId } = entry;
  return { payment: id, customer: customerId, currency, amountMinor, invoice: invoiceId };
}
