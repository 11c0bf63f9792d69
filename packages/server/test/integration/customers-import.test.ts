import { afterAll, beforeAll, expect, test } from 'vitest';
import { quiet } from '../support/reconciling.ts';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';
import { until } from '../support/until.ts';

let tollgate: Tollgate;

beforeAll(async () => {
  tollgate = await startTollgate();
  await tollgate.secret.post('/features', { code: 'export', name: 'Export', type: 'boolean' });
});
afterAll(() => tollgate.close());

const check = async (customer: string) =>
  (await tollgate.secret.get(`/check?customer_id=${customer}&feature=export`)).body;

/** A business that has sold through Stripe for long: a product with a subscriber. */
async function legacyBusiness() {
  const { stripe } = tollgate;
  const product = await stripe.products.create({ name: 'Legacy' });
  const { id: price } = await stripe.prices.create({
    product: product.id,
    currency: 'eur',
    unit_amount: 900,
    recurring: { interval: 'month' },
  });
  const customer = await stripe.customers.create({ email: 'payer@example.com' });
  const method = await stripe.paymentMethods.attach('pm_card_visa', { customer: customer.id });
  const subscription = await stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price }],
    default_payment_method: method.id,
  });
  return { product: product.id, customer: customer.id, subscription: subscription.id };
}

test('a customer who has paid through Stripe for long is entitled once product and Stripe customer are known', async () => {
  const { secret } = tollgate;
  const legacy = await legacyBusiness();
  expect((await secret.post('/products/import', { stripe_product_id: legacy.product })).status).toBe(201);
  await secret.put(`/products/${legacy.product}/features`, { features: [{ code: 'export' }] });
  const linked = await secret.put('/customers/u_long', { stripe_customer_id: legacy.customer });
  expect(linked.status).toBe(200);

  await until(async () => (await check('u_long')).entitled);
  expect(await check('u_long')).toMatchObject({ entitled: true, reason: 'subscription_active' });
  // Who pays is read beside what they have.
  await until(async () => (await secret.get('/customers/u_long')).body.email === 'payer@example.com');
  const { body } = await secret.get('/customers/u_long');
  expect(body.subscriptions).toMatchObject([{ id: legacy.subscription, status: 'active' }]);
});

test('and so is one whose product is imported and mapped only afterwards', async () => {
  const { secret } = tollgate;
  const legacy = await legacyBusiness();
  await secret.put('/customers/u_later', { stripe_customer_id: legacy.customer });
  await secret.post('/products/import', { stripe_product_id: legacy.product });
  const { body } = await secret.put(`/products/${legacy.product}/features`, { features: [{ code: 'export' }] });
  await until(async () => (await check('u_later')).entitled);
  await until(async () => (await secret.get(`/recomputations/${body.recomputation.id}`)).body.status === 'completed');

  await secret.put(`/products/${legacy.product}/features`, { features: [] });
  await until(async () => !(await check('u_later')).entitled);
});

test('a product renamed in Stripe is renamed here', async () => {
  const { secret, stripe } = tollgate;
  const { id } = (await secret.post('/products', { name: 'Here' })).body;
  await stripe.products.update(id, { name: 'There' });
  await until(async () => (await secret.get(`/products/${id}`)).body.name === 'There');
});

test('a one-off purchase through Stripe is brought in with the Stripe customer', async () => {
  const { secret, stripe } = tollgate;
  const product = await stripe.products.create({ name: 'Lifetime' });
  const { id: price } = await stripe.prices.create({ product: product.id, currency: 'eur', unit_amount: 9900 });
  const customer = await stripe.customers.create({ email: 'buyer@example.com' });
  const session = await stripe.checkout.sessions.create({
    mode: 'payment',
    customer: customer.id,
    line_items: [{ price, quantity: 1 }],
    success_url: 'https://shop.example/thanks',
  });
  const paid = await fetch(`${session.url}/pay`, {
    method: 'POST',
    body: new URLSearchParams({ card_number: '4242424242424242' }),
    redirect: 'manual',
  });
  expect(paid.status).toBeLessThan(400);
  await secret.post('/products/import', { stripe_product_id: product.id });
  await secret.put(`/products/${product.id}/features`, { features: [{ code: 'export' }] });
  await secret.put('/customers/u_lifetime', { stripe_customer_id: customer.id });

  await until(async () => (await check('u_lifetime')).entitled);
  expect(await check('u_lifetime')).toMatchObject({ reason: 'purchase', valid_to: null });
  const { body } = await secret.get('/customers/u_lifetime');
  expect(body.purchases).toMatchObject([{ status: 'paid', total: { currency: 'eur', amount: 9900 } }]);
});

test('what was bought once beside a subscription, and no event told of, is brought in with the Stripe customer', async () => {
  const { secret, stripe, sandbox } = tollgate;
  sandbox.deliverTo([]);
  const product = await stripe.products.create({ name: 'Add-on for life' });
  const once = await stripe.prices.create({ product: product.id, currency: 'eur', unit_amount: 4900 });
  const monthly = await stripe.prices.create({
    product_data: { name: 'Plan' },
    currency: 'eur',
    unit_amount: 900,
    recurring: { interval: 'month' },
  });
  const customer = await stripe.customers.create({ email: 'both@example.com' });
  const session = await stripe.checkout.sessions.create({
    mode: 'subscription',
    customer: customer.id,
    line_items: [
      { price: monthly.id, quantity: 1 },
      { price: once.id, quantity: 1 },
    ],
    success_url: 'https://shop.example/thanks',
  });
  expect(sandbox.control.payCheckout(session.id)).toMatchObject({ ok: true });
  await secret.post('/products/import', { stripe_product_id: product.id });
  await secret.put(`/products/${product.id}/features`, { features: [{ code: 'export' }] });
  await secret.put('/customers/u_both', { stripe_customer_id: customer.id });
  await quiet(tollgate);
  expect(await check('u_both')).toMatchObject({ entitled: true, reason: 'purchase' });
});
