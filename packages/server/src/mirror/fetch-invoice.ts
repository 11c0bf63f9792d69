import type { StripeConnection } from '../stripe/connections.ts';
import { isMissing } from '../stripe/refusal.ts';
import type { Stripe } from '../stripe/types.ts';
import { type InvoiceShare, subscriptionOf } from './fetch-invoice-payment.ts';
import { parseShape } from './parse-shape.ts';
import { InvoicePaymentShape, PaidInvoiceShape } from './shapes.ts';

/** An invoice with everything that was paid of it, or is to be. */
export interface FetchedInvoice {
  id: string;
  /** `draft`, `open`, `paid`, `uncollectible` or `void`. */
  status: string | null;
  /** The subscription that it is of; null for any other invoice. */
  subscriptionId: string | null;
  /** Its payments; empty where nothing had to be paid, or it is of no subscription. */
  shares: readonly InvoiceShare[];
}

/** What an invoice needs to be expanded; in a list it gets `data.` in front. */
export const INVOICE_EXPANSION = 'payments';

/** @returns null when Stripe has no such invoice */
export async function fetchInvoice(connection: StripeConnection, id: string): Promise<FetchedInvoice | null> {
  try {
    const invoice = await connection.client.invoices.retrieve(id, { expand: [INVOICE_EXPANSION] });
    return await completeInvoice(connection, invoice);
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** Every invoice of a subscription that was paid. */
export async function fetchPaidInvoices(
  connection: StripeConnection,
  subscription: string,
): Promise<readonly FetchedInvoice[]> {
  const invoices: FetchedInvoice[] = [];
  const listed = { subscription, status: 'paid' as const, limit: 100, expand: [`data.${INVOICE_EXPANSION}`] };
  for await (const invoice of connection.client.invoices.list(listed)) {
    invoices.push(await completeInvoice(connection, invoice));
  }
  return invoices;
}

/** Adds the payments beyond the tenth; asks Stripe only where there are any. */
export async function completeInvoice(connection: StripeConnection, given: Stripe.Invoice): Promise<FetchedInvoice> {
  const invoice = parseShape(PaidInvoiceShape, given, 'invoice');
  const subscriptionId = subscriptionOf(invoice);
  const read = { id: invoice.id, status: invoice.status ?? null, subscriptionId };
  if (subscriptionId === null) return { ...read, shares: [] };
  const payments = invoice.payments?.has_more ? await fetchPayments(connection, invoice.id) : invoice.payments?.data;
  return { ...read, shares: (payments ?? []).map((payment) => ({ subscriptionId, invoice, payment })) };
}

async function fetchPayments({ client }: StripeConnection, invoice: string): Promise<InvoicePaymentShape[]> {
  const payments: InvoicePaymentShape[] = [];
  for await (const payment of client.invoicePayments.list({ invoice, limit: 100 })) {
    payments.push(parseShape(InvoicePaymentShape, payment, 'invoice payment'));
  }
  return payments;
}
