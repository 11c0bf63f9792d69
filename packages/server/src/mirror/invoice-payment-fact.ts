import type { InvoiceLine, InvoicePaymentFact } from '@tollgate/core';
import type { FetchedInvoicePayment, PaidInvoice } from './fetch-invoice-payment.ts';
import { disputeOf, refunded } from './money-back.ts';
import { idOf, idOrNull } from './parse-shape.ts';

/** Whether the payment has, or once had, a refund or a dispute: any other is no fact. */
export function hasMoneyBack({ refunds, disputes }: FetchedInvoicePayment): boolean {
  return refunds.length > 0 || disputes.length > 0;
}

/**
 * The payment of a subscription's invoice as a fact. Pure: webhooks and reconciliation make the same fact of the same
 * answers.
 */
export function invoicePaymentFact(fetched: FetchedInvoicePayment): InvoicePaymentFact {
  const paid = fetched.paid
    .filter(({ payment }) => payment.status === 'paid')
    .sort((a, b) => compareText(a.invoice.id, b.invoice.id));
  const amountMinor = paid.reduce((sum, { invoice }) => sum + invoice.amount_paid, 0);
  return {
    kind: 'invoice_payment',
    id: fetched.id,
    invoiceIds: paid.map(({ invoice }) => invoice.id),
    currency: fetched.paid[0]?.payment.currency ?? '',
    amountMinor,
    lines: paid.flatMap(linesOf).sort(compareLines),
    ...refunded(fetched.refunds, amountMinor),
    dispute: disputeOf(fetched.disputes),
  };
}

/** The lines that charged for an item's period: a credit, or what costs nothing, buys nothing. */
function linesOf({ subscriptionId, lines }: PaidInvoice): InvoiceLine[] {
  return lines.flatMap(({ amount, parent, period, pricing }) => {
    const item = parent?.subscription_item_details;
    const sold = pricing?.price_details;
    if (amount <= 0 || item === null || item === undefined || sold === undefined) return [];
    return {
      subscriptionId: idOrNull(item.subscription) ?? subscriptionId,
      subscriptionItemId: item.subscription_item,
      productId: sold.product,
      priceId: idOf(sold.price),
      periodStart: period.start * 1000,
      periodEnd: period.end * 1000,
      amountMinor: amount,
    };
  });
}

/** Equal states must give equal facts, in whatever order Stripe lists the lines. */
function compareLines(a: InvoiceLine, b: InvoiceLine): number {
  return (
    compareText(a.subscriptionItemId, b.subscriptionItemId) ||
    a.periodStart - b.periodStart ||
    compareText(JSON.stringify(a), JSON.stringify(b))
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
