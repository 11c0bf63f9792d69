import { customers } from './customers.ts';
import { invoicePayments } from './invoice-payments.ts';
import { invoices } from './invoices.ts';
import type { Kind, KindName } from './kind.ts';
import { prices } from './prices.ts';
import { products } from './products.ts';
import { purchases } from './purchases.ts';
import { subscriptions } from './subscriptions.ts';

/** Every kind of object that is compared. */
export const KINDS: { readonly [Name in KindName]: Kind<{ id: string }> } = {
  product: products as Kind<{ id: string }>,
  price: prices as Kind<{ id: string }>,
  customer: customers as Kind<{ id: string }>,
  invoice: invoices as Kind<{ id: string }>,
  subscription: subscriptions as Kind<{ id: string }>,
  purchase: purchases as Kind<{ id: string }>,
  invoice_payment: invoicePayments as Kind<{ id: string }>,
};
