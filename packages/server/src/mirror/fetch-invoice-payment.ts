import type { StripeConnection } from '../stripe/connections.ts';
import { chargeOf, fetchMoneyBack, type MoneyBack } from './fetch-money-back.ts';
import type { FetchedPayment } from './fetch-purchase.ts';
import { idOf, idOrNull, parseShape } from './parse-shape.ts';
import {
  type ChargeShape,
  InvoiceLineShape,
  InvoicePaymentShape,
  PaidInvoiceShape,
  type SubscriptionShape,
} from './shapes.ts';

/** An invoice of a subscription, and one of the payments that paid it. */
export interface InvoiceShare {
  subscriptionId: string;
  /** With its first ten lines. */
  invoice: PaidInvoiceShape;
  payment: InvoicePaymentShape;
}

/** The same with every line. */
export interface PaidInvoice extends InvoiceShare {
  lines: readonly InvoiceLineShape[];
}

/** The payment of a subscription's invoice with everything that its fact is made of. */
export interface FetchedInvoicePayment extends MoneyBack {
  /** The payment intent `pi_…`. */
  id: string;
  charge: ChargeShape | null;
  /** At least one; a payment may be split over several. */
  paid: readonly PaidInvoice[];
}

/** The same, under the number that was taken for it before. */
export interface NumberedPayment {
  paid: FetchedInvoicePayment;
  sequence: number;
}

/** @returns null when the payment paid no invoice of a subscription */
export async function fetchInvoicePayment(
  connection: StripeConnection,
  { intent }: Pick<FetchedPayment, 'intent'>,
): Promise<FetchedInvoicePayment | null> {
  const shares = await fetchShares(connection, intent.id);
  if (shares.length === 0) return null;
  const paid: PaidInvoice[] = [];
  for (const share of shares) paid.push({ ...share, lines: await linesOf(connection, share.invoice) });
  return { id: intent.id, charge: chargeOf(intent), paid, ...(await fetchMoneyBack(connection, intent.id)) };
}

/** The invoices of subscriptions that a payment intent paid; none for any other payment. */
export async function fetchShares({ client }: StripeConnection, intent: string): Promise<InvoiceShare[]> {
  const payment = { type: 'payment_intent' as const, payment_intent: intent };
  const shares: InvoiceShare[] = [];
  for await (const listed of client.invoicePayments.list({ payment, limit: 100 })) {
    const share = parseShape(InvoicePaymentShape, listed, 'invoice payment');
    const invoice = parseShape(PaidInvoiceShape, await client.invoices.retrieve(idOf(share.invoice)), 'invoice');
    const subscriptionId = subscriptionOf(invoice);
    if (subscriptionId !== null) shares.push({ subscriptionId, invoice, payment: share });
  }
  return shares;
}

/** The payments that came with a subscription's invoice; none where the invoice is a bare id, or of no subscription. */
export function paymentsIn(invoice: SubscriptionShape['latest_invoice']): InvoiceShare[] {
  if (invoice === null || invoice === undefined || typeof invoice === 'string') return [];
  const subscriptionId = subscriptionOf(invoice);
  if (subscriptionId === null) return [];
  return (invoice.payments?.data ?? []).map((payment) => ({
    subscriptionId,
    invoice,
    payment,
  }));
}

/** The subscription that an invoice is of; null for any other. */
export function subscriptionOf({ parent }: Pick<PaidInvoiceShape, 'parent'>): string | null {
  return idOrNull(parent?.subscription_details?.subscription);
}

async function linesOf({ client }: StripeConnection, { id, lines }: PaidInvoiceShape): Promise<InvoiceLineShape[]> {
  if (!lines.has_more) return lines.data;
  const all: InvoiceLineShape[] = [];
  for await (const line of client.invoices.listLineItems(id, { limit: 100 })) {
    all.push(parseShape(InvoiceLineShape, line, 'invoice line'));
  }
  return all;
}
