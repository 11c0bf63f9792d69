import { draftInvoice } from '../billing/draft-invoice.ts';
import { finalizeInvoice, linkPayment } from '../billing/invoices.ts';
import type { CheckoutSession, Customer, Invoice, PaymentIntent } from '../model.ts';
import type { World } from '../world.ts';

/** The invoice of a one-time payment that has been made, where the session asks for one. */
export function oneTimeInvoice(
  world: World,
  session: CheckoutSession,
  customer: Customer,
  intent: PaymentIntent,
): Invoice {
  const now = world.clock.now();
  const invoice = draftInvoice(world, {
    customer,
    subscription: null,
    reason: 'manual',
    currency: intent.currency,
    lines: session.$.lines.map((line) => ({
      amount: line.amount_total,
      description: line.description,
      price: line.price,
      quantity: line.quantity,
      period: { start: now, end: now },
      subscriptionItem: null,
    })),
    period: { start: now, end: now },
    metadata: { ...(session.invoice_creation?.invoice_data.metadata ?? {}) },
  });
  finalizeInvoice(world, invoice, intent);
  linkPayment(world, invoice);
  return invoice;
}
