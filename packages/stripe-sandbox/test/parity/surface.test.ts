import { describe, expect, test } from 'vitest';
import { apiRoutes } from '../../src/resources/index.ts';
import { type Observed, observed } from '../support/observed.ts';
import { walkCatalog } from './walks/catalog.ts';
import { walkCheckout, walkPortal } from './walks/checkout.ts';
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
