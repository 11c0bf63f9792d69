/** A reconciliation of one customer, whose Stripe customer paid for what an operator gave to another. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { about, quiet, reconcile } from '../support/reconciling.ts';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

/** No event of the sandbox arrives. */
let tollgate: Tollgate;
let monthly: string;
let lifetime: string;

beforeAll(async () => {
  tollgate = await startTollgate({ deaf: true, callsPerSecond: null });
  const app = tollgate.secret;
  await app.post('/features', { code: 'pro', name: 'Pro', type: 'boolean' });
  const { body: product } = await app.post('/products', { name: 'Pro', features: [{ code: 'pro' }] });
  const price = { product: product.id, currency: 'usd', unit_amount: 1000 };
  monthly = (await app.post('/prices', { ...price, recurring: { interval: 'month' } })).body.id;
  lifetime = (await app.post('/prices', price)).body.id;
});
afterAll(() => tollgate.close());

async function subscribe(customer: string) {
  const { paymentMethods, subscriptions, invoicePayments } = tollgate.stripe;
  const { id: card } = await paymentMethods.attach('pm_card_visa', { customer });
  const items = [{ price: monthly }];
  const { id, latest_invoice } = await subscriptions.create({ customer, items, default_payment_method: card });
  const [paid] = (await invoicePayments.list({ invoice: String(latest_invoice) })).data;
  return { id, payment: String(paid?.payment.payment_intent) };
}

async function buyOnce(customer: string): Promise<string> {
  const { sessions } = tollgate.stripe.checkout;
  const { id } = await sessions.create({
    mode: 'payment',
    customer,
    line_items: [{ price: lifetime, quantity: 1 }],
    success_url: 'https://shop.example/thanks',
  });
  tollgate.sandbox.control.payCheckout(id);
  return String((await sessions.retrieve(id)).payment_intent);
}

async function attach(objectId: string, customerId: string): Promise<void> {
  const { body } = await tollgate.admin.get(`/admin/parked?status=open&object_id=${objectId}`);
  const decision = { project_id: tollgate.project.id, customer_id: customerId, reason: 'They wrote to us' };
  expect((await tollgate.admin.post(`/admin/parked/${body.data[0].id}/attach`, decision)).status).toBe(200);
}

/** What is known of somebody: their facts and their ledger. */
async function knownOf(customerId: string) {
  const { body: customer } = await tollgate.secret.get(`/customers/${customerId}`);
  const { body: payments } = await tollgate.secret.get(`/customers/${customerId}/payments`);
  return { customer, payments: payments.data };
}

test('leaves alone whatever was attached to somebody else, and repairs what is the customer’s own', async () => {
  const { stripe, sandbox, secret } = tollgate;
  const { id: payer } = await stripe.customers.create({});
  const given = await subscribe(payer);
  const bought = await buyOnce(payer);
  await reconcile(tollgate);
  for (const object of [given.id, bought]) await attach(object, 'friend');
  await secret.put('/customers/payer', { stripe_customer_id: payer });
  await quiet(tollgate);
  expect((await reconcile(tollgate)).drifts).toEqual([]);

  sandbox.control.advance({ days: 32 });
  sandbox.control.refund(given.payment, 400);
  sandbox.control.refund(bought);
  const own = await subscribe(payer);
  const before = await knownOf('friend');
  const run = await reconcile(tollgate, { project_id: tollgate.project.id, customer_id: 'payer' });
  expect(run.drifts.map(({ object_id }) => object_id)).toEqual([own.id]);
  expect(await knownOf('friend')).toEqual(before);
  expect((await knownOf('payer')).customer.subscriptions).toMatchObject([{ id: own.id }]);

  const whole = await reconcile(tollgate);
  expect(new Set(whole.drifts.map(({ object_type }) => object_type))).toEqual(
    new Set(['subscription', 'purchase', 'invoice', 'invoice_payment']),
  );
  expect(whole.drifts.every(({ customer_id }) => customer_id === 'friend')).toBe(true);
  expect(about(whole, bought)).toMatchObject([{ kind: 'different', action: 'repaired' }]);
});
