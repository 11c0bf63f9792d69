import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { apiRoutes } from '../../src/resources/index.ts';
import { type Observed, observed } from '../support/observed.ts';
import { walkCatalog } from './walks/catalog.ts';
import { walkCheckout, walkPaymentLinks, walkPortal } from './walks/checkout.ts';
import { walkCustomers } from './walks/customers.ts';
import { walkEntitlements, walkOlderClients, walkTheRest } from './walks/entitlements.ts';
import { walkInvoices } from './walks/invoices.ts';
import { walkPayments } from './walks/payments.ts';
import { walkSchedules, walkSubscriptions, walkTime } from './walks/subscriptions.ts';

const WALKS: Record<string, (shop: Observed) => Promise<void>> = {
  'products, prices and coupons': walkCatalog,
  'customers and payment methods': walkCustomers,
  payments: walkPayments,
  subscriptions: walkSubscriptions,
  'subscription schedules': walkSchedules,
  'time on a test clock': walkTime,
  invoices: walkInvoices,
  checkout: walkCheckout,
  'payment links': walkPaymentLinks,
  'the customer portal': walkPortal,
  entitlements: walkEntitlements,
  'everything else': walkTheRest,
  'older clients': walkOlderClients,
};

const walked = new Set<string>();

describe('what the official client gets is what its types say', () => {
  test.each(Object.entries(WALKS))('%s', async (_name, walk) => {
    const shop = await observed();
    await walk(shop);
    for await (const event of shop.stripe.events.list({ limit: 100 })) {
      if (event.type.endsWith('.created')) await shop.stripe.events.retrieve(event.id);
    }
    for (const request of shop.requests) walked.add(request);
    expect([...shop.problems]).toEqual([]);
  });

  test('every operation of the API was walked', () => {
    const missed = apiRoutes.filter(({ method, path }) => {
      const pattern = new RegExp(`^${method} /v1${path.replace(/:[a-z]+/g, '[^/]+')}$`);
      return ![...walked].some((request) => pattern.test(request));
    });
    expect(missed.map(({ method, path }) => `${method} ${path}`)).toEqual([]);
  });
});

/** The parts of the client that the sandbox covers, as files of its package. */
const COVERED = [
  'BalanceTransactions',
  'BillingPortal/Configurations',
  'BillingPortal/Sessions',
  'Charges',
  'Checkout/Sessions',
  'Coupons',
  'Customers',
  'Disputes',
  'Entitlements/ActiveEntitlements',
  'Entitlements/Features',
  'Events',
  'InvoiceItems',
  'InvoicePayments',
  'Invoices',
  'PaymentIntents',
  'PaymentLinks',
  'PaymentMethods',
  'Prices',
  'Products',
  'PromotionCodes',
  'Refunds',
  'SetupIntents',
  'SubscriptionItems',
  'SubscriptionSchedules',
  'Subscriptions',
  'TestHelpers/TestClocks',
  'WebhookEndpoints',
];

/** What of them it leaves out: cash balances, tax ids, and ways around that nothing here needs. */
const LEFT_OUT = [
  'DELETE /customers/*/tax_ids/*',
  'GET /customers/*/cash_balance',
  'GET /customers/*/cash_balance_transactions',
  'GET /customers/*/cash_balance_transactions/*',
  'GET /customers/*/tax_ids',
  'GET /customers/*/tax_ids/*',
  'GET /payment_intents/*/amount_details_line_items',
  'POST /charges',
  'POST /customers/*/cash_balance',
  'POST /customers/*/funding_instructions',
  'POST /customers/*/sources/*/verify',
  'POST /customers/*/tax_ids',
  'POST /invoices/*/add_lines',
  'POST /invoices/*/attach_payment',
  'POST /invoices/*/lines/*',
  'POST /invoices/*/remove_lines',
  'POST /invoices/*/update_lines',
  'POST /payment_intents/*/apply_customer_balance',
  'POST /payment_intents/*/increment_authorization',
  'POST /payment_intents/*/verify_microdeposits',
  'POST /setup_intents/*/verify_microdeposits',
  'POST /subscriptions/*/migrate',
];

test('every request that the client can make of a covered part is served, but for those that are named', () => {
  const served = new Set(apiRoutes.map(({ method, path }) => `${method} ${path.replace(/:[a-z]+/g, '*')}`));
  const missing = COVERED.flatMap((part) => {
    const source = readFileSync(fileURLToPath(new URL(`resources/${part}.js`, import.meta.resolve('stripe'))), 'utf8');
    const requests = source.matchAll(/'(GET|POST|DELETE)', ['`]\/v1([^'`]+)['`]/g);
    return [...requests].map(([, method, path]) => `${method} ${path?.replace(/\$\{[^}]*\}/g, '*')}`);
  }).filter((request) => !served.has(request));
  expect(missing.toSorted()).toEqual(LEFT_OUT);
});
