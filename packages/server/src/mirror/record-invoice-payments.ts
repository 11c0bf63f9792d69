import type { Tx } from '../platform/database.ts';
import type { InvoiceShare } from './fetch-invoice-payment.ts';
import { idOf, idOrNull } from './parse-shape.ts';
import { type PaymentRecord, recordPayments } from './record-payment.ts';

/** Payments of subscriptions' invoices, and who has the subscriptions. */
export interface OwnedPayments {
  projectId: string;
  customerId: string;
  payments: readonly InvoiceShare[];
  /** The charge of the one payment that it is; default: as the payment names it. */
  chargeId?: string | null;
}

/**
 * Writes down the payments of subscriptions' invoices that went through. What failed, or is still owed, is no money that
 * moved: the subscription tells of it.
 * @param of - `whole`: with every invoice that each of them paid
 * @returns how many were new, or are different now
 */
export async function recordInvoicePayments(
  tx: Tx,
  connectionId: string,
  owned: readonly OwnedPayments[],
  of: 'whole' | 'invoice' = 'invoice',
): Promise<number> {
  return await recordPayments(tx, connectionId, invoicePaymentRecords(owned), of);
}

/** What the ledger is to hold of payments of invoices. Pure: reconciliation compares it with what the ledger holds. */
export function invoicePaymentRecords(owned: readonly OwnedPayments[]): PaymentRecord[] {
  const records = new Map<string, PaymentRecord>();
  for (const { payments, chargeId = null, projectId, customerId } of owned) {
    for (const share of payments) {
      const record = recordOf(share, { projectId, customerId }, chargeId);
      if (record === null) continue;
      const other = records.get(record.id);
      records.set(record.id, other === undefined ? record : joined(other, record));
    }
  }
  return [...records.values()];
}

function recordOf(
  { subscriptionId, invoice, payment }: InvoiceShare,
  owner: { projectId: string; customerId: string },
  chargeId: string | null,
): PaymentRecord | null {
  const { payment_intent: intent, charge, payment_record: record } = payment.payment;
  const id = idOrNull(intent) ?? idOrNull(charge) ?? idOrNull(record);
  if (payment.status !== 'paid' || payment.amount_paid === null || id === null) return null;
  // The invoice shows its first ten, whoever asks.
  const charged = invoice.lines.data.filter(({ amount }) => amount > 0);
  const periods = charged.filter(({ parent }) => (parent?.subscription_item_details ?? null) !== null);
  return {
    ...owner,
    id,
    status: 'paid',
    currency: payment.currency,
    amountMinor: payment.amount_paid,
    createdAt: payment.created * 1000,
    paidAt: (payment.status_transitions.paid_at ?? payment.created) * 1000,
    lines: charged.flatMap(({ pricing, quantity }) => {
      const sold = pricing?.price_details;
      return sold === undefined ? [] : { price: idOf(sold.price), product: sold.product, quantity: quantity ?? null };
    }),
    checkoutSessionId: null,
    chargeId: chargeId ?? idOrNull(charge),
    invoiceId: invoice.id,
    subscriptionId,
    periodStart: edge(
      Math.min,
      periods.map(({ period }) => period.start),
    ),
    periodEnd: edge(
      Math.max,
      periods.map(({ period }) => period.end),
    ),
  };
}

/** One payment that was split over several invoices. */
function joined(a: PaymentRecord, b: PaymentRecord): PaymentRecord {
  return {
    ...a,
    amountMinor: a.amountMinor + b.amountMinor,
    lines: [...a.lines, ...b.lines],
    periodStart: edge(
      Math.min,
      [a.periodStart, b.periodStart].filter((at) => at !== null),
    ),
    periodEnd: edge(
      Math.max,
      [a.periodEnd, b.periodEnd].filter((at) => at !== null),
    ),
  };
}

function edge(of: (...moments: number[]) => number, moments: readonly number[]): number | null {
  return moments.length === 0 ? null : of(...moments);
}
