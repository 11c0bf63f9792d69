import { afterAll, beforeAll, expect, test } from 'vitest';
import { quiet, reconcile } from '../support/reconciling.ts';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

let tollgate: Tollgate;

beforeAll(async () => {
  tollgate = await startTollgate();
});
afterAll(() => tollgate.close());

type Interval = 'day' | 'week' | 'month' | 'year';

async function price(product: string, currency: string, unitAmount: number, interval: Interval): Promise<string> {
  const terms = { product, currency, unit_amount: unitAmount, recurring: { interval } };
  return (await tollgate.secret.post('/prices', terms)).body.id;
}

/** Subscribes somebody new through the SDK, as the business may do by hand. */
async function subscribe(name: string, priceId: string, more: object = {}): Promise<void> {
  const { stripe } = tollgate;
  const metadata = {
    tollgate_installation: 'tests',
    tollgate_project: tollgate.project.id,
    tollgate_customer: name,
  };
  const customer = await stripe.customers.create({ metadata });
  const card = await stripe.paymentMethods.attach('pm_card_visa', { customer: customer.id });
  await stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: card.id } });
  await stripe.subscriptions.create({ customer: customer.id, items: [{ price: priceId }], ...more });
}

test('the figures of subscriptions that were made in Stripe are those of a table worked out by hand', async () => {
  const { stripe, secret, sandbox } = tollgate;
  await secret.post('/features', { code: 'pro', name: 'Pro', type: 'boolean' });
  const { body: plan } = await secret.post('/products', { name: 'Plan', features: [{ code: 'pro' }] });
  const monthly = await price(plan.id, 'usd', 1000, 'month');
  const yearly = await price(plan.id, 'usd', 12_000, 'year');
  const weekly = await price(plan.id, 'eur', 300, 'week');
  const forever = await stripe.coupons.create({ percent_off: 25, duration: 'forever' });
  const { body: other } = await secret.post('/products', { name: 'Other', features: [] });
  const elsewhere = await stripe.coupons.create({
    percent_off: 25,
    duration: 'forever',
    applies_to: { products: [other.id] },
  });
  const once = await stripe.coupons.create({ percent_off: 50, duration: 'once' });

  await subscribe('late', monthly);
  await tollgate.until(async () => (await secret.get('/metrics/summary')).body.active_subscriptions === 1);
  // A month later the renewal fails.
  const late = await stripe.subscriptions.list({ price: monthly });
  const payer = late.data[0]?.customer;
  sandbox.control.failNextPayment({ customer: String(payer) });
  sandbox.control.advance({ days: 32 });

  await subscribe('monthly', monthly);
  await subscribe('yearly', yearly);
  await subscribe('weekly', weekly);
  await subscribe('coupon', monthly, { discounts: [{ coupon: forever.id }] });
  await subscribe('coupon_elsewhere', monthly, { discounts: [{ coupon: elsewhere.id }] });
  await subscribe('coupon_once', monthly, { discounts: [{ coupon: once.id }] });
  await subscribe('seats', monthly, { items: [{ price: monthly, quantity: 4 }] });
  await subscribe('trial', monthly, { trial_period_days: 14 });
  await sandbox.control.settled();
  await quiet(tollgate);

  const { body } = await secret.get('/metrics/summary');
  expect(body).toMatchObject({
    active_subscriptions: 7,
    trialing_subscriptions: 1,
    past_due_subscriptions: 1,
    customers: 9,
    // Within the grace period, who is late is still let in.
    entitled_customers: 9,
    mrr: [
      // 3.00 × 52 / 12
      { currency: 'eur', amount: 1300 },
      // late 10 + monthly 10 + yearly 120/12 + coupon 7.50 + coupons for another product and for once 20 + seats 4 × 10
      { currency: 'usd', amount: 1000 + 1000 + 1000 + 750 + 2000 + 4000 },
    ],
  });

  // What is listed is as good as what was fetched.
  expect((await reconcile(tollgate)).drifts).toEqual([]);
});
