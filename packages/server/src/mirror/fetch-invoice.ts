import type { StripeConnection } from '../stripe/connections.ts';
import { isMissing } from '../stripe/refusal.ts';
import type { Stripe } from '../stripe/types.ts';
import { type InvoiceShare, paymentsIn, subscriptionOf } from './fetch-invoice-payment.ts';
import { withEveryPayment } from './fetch-payments.ts';
import { parseShape } from './parse-shape.ts';
import { PaidInvoiceShape } from './shapes.ts';

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
  const invoice = await withEveryPayment(connection, parseShape(PaidInvoiceShape, given, 'invoice'));
  const { id, status = null } = invoice;
  return { id, status, subscriptionId: subscriptionOf(invoice), shares: paymentsIn(invoice) };
}
