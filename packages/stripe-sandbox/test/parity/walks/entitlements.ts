import type { Observed } from '../../support/observed.ts';
import { subscriber } from '../../support/shop.ts';

/** Features, what products they belong to, and who has them. */
export async function walkEntitlements({ stripe }: Observed): Promise<void> {
  const feature = await stripe.entitlements.features.create({
    name: 'Export',
    lookup_key: 'export',
    metadata: { a: 'b' },
  });
  await stripe.entitlements.features.update(feature.id, { name: 'Exports', metadata: { a: '' } });
  await stripe.entitlements.features.retrieve(feature.id);
  await stripe.entitlements.features.list({ lookup_key: 'export' });
  const price = await stripe.prices.create({
    currency: 'usd',
    unit_amount: 100,
    recurring: { interval: 'month' },
    product_data: { name: 'Pro' },
  });
  const product = price.product as string;
  const attached = await stripe.products.createFeature(product, { entitlement_feature: feature.id });
  await stripe.products.retrieveFeature(product, attached.id);
  await stripe.products.listFeatures(product);
  const customer = await subscriber(stripe);
  const subscription = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  const active = await stripe.entitlements.activeEntitlements.list({ customer: customer.id, expand: ['data.feature'] });
  await stripe.entitlements.activeEntitlements.retrieve(active.data[0]?.id as string, { expand: ['feature'] });
  await stripe.subscriptions.cancel(subscription.id);
  await stripe.products.deleteFeature(product, attached.id);
}

/** Webhook endpoints, balance transactions and the older kind of cards. */
export async function walkTheRest({ stripe }: Observed): Promise<void> {
  const endpoint = await stripe.webhookEndpoints.create({
    url: 'http://127.0.0.1:9/webhooks',
    enabled_events: ['customer.created'],
    description: 'Ours',
    metadata: { a: 'b' },
  });
  await stripe.webhookEndpoints.retrieve(endpoint.id);
  await stripe.webhookEndpoints.list({ limit: 3 });
  await stripe.webhookEndpoints.update(endpoint.id, { disabled: true, enabled_events: ['*'], metadata: { a: '' } });
  await stripe.webhookEndpoints.del(endpoint.id);
  await stripe.paymentIntents.create({ amount: 500, currency: 'usd', confirm: true, payment_method: 'pm_card_visa' });
  await stripe.accounts.retrieveCurrent();
  const booked = await stripe.balanceTransactions.list({ type: 'charge' });
  await stripe.balanceTransactions.retrieve(booked.data[0]?.id as string, { expand: ['source'] });
  const customer = await stripe.customers.create({ shipping: { name: 'Ann', address: { line1: '1 Main St' } } });
  const card = await stripe.customers.createSource(customer.id, { source: 'tok_visa' });
  await stripe.customers.updateSource(customer.id, card.id, { metadata: { a: 'b' } });
  await stripe.customers.retrieveSource(customer.id, card.id);
  await stripe.customers.listSources(customer.id);
  await stripe.customers.deleteSource(customer.id, card.id);
}

/** What clients without a version header do: the Stripe CLI pays at the checkout, and gives customers coupons. */
export async function walkOlderClients({ stripe }: Observed): Promise<void> {
  const coupon = await stripe.coupons.create({ percent_off: 20, duration: 'forever' });
  const customer = await stripe.customers.create({ email: 'ann@example.com' });
  await stripe.rawRequest('POST', `/v1/customers/${customer.id}`, { coupon: coupon.id });
  await stripe.customers.retrieve(customer.id, { expand: ['discount.source.coupon'] });
  await stripe.customers.deleteDiscount(customer.id);
  const session = await stripe.checkout.sessions.create({
    mode: 'payment',
    success_url: 'https://shop.example/thanks',
    line_items: [{ price_data: { currency: 'usd', unit_amount: 900, product_data: { name: 'Book' } }, quantity: 1 }],
  });
  const method = await stripe.paymentMethods.create({ type: 'card', card: { token: 'tok_visa' } });
  await stripe.rawRequest('GET', `/v1/payment_pages/${session.id}`);
  await stripe.rawRequest('POST', `/v1/payment_pages/${session.id}/confirm`, {
    payment_method: method.id,
    expected_amount: '900',
  });
}
