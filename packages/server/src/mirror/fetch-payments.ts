import type { StripeConnection } from '../stripe/connections.ts';
import { parseShape } from './parse-shape.ts';
import { InvoicePaymentShape, type PaidInvoiceShape } from './shapes.ts';

/** Every payment of an invoice, those that failed or are still open among them. */
export async function fetchPayments({ client }: StripeConnection, invoice: string): Promise<InvoicePaymentShape[]> {
  const payments: InvoicePaymentShape[] = [];
  for await (const payment of client.invoicePayments.list({ invoice, limit: 100 })) {
    payments.push(parseShape(InvoicePaymentShape, payment, 'invoice payment'));
  }
  return payments;
}

/** Adds the payments beyond the tenth to an invoice that was asked for with them; asks Stripe only where there are any. */
export async function withEveryPayment(
  connection: StripeConnection,
  invoice: PaidInvoiceShape,
): Promise<PaidInvoiceShape> {
  if (invoice.payments?.has_more !== true) return invoice;
  return { ...invoice, payments: { data: await fetchPayments(connection, invoice.id), has_more: false } };
}
