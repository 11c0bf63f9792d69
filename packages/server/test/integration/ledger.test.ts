/** The ledger holds every payment of a subscription's invoices: by webhooks in any order, and else by a reconciliation. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Client } from '../support/client.ts';
import { type FinishedRun, quiet, reconcile } from '../support/reconciling.ts';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

let tollgate: Tollgate;
let app: Client;
let monthly: string;

beforeAll(async () => {
  tollgate = await startTollgate({ callsPerSecond: null });
  app = tollgate.secret;
  await app.post('/features', { code: 'pro', name: 'Pro', type: 'boolean' });
  const { body: plan } = await app.post('/products', { name: 'Plan', features: [{ code: 'pro' }] });
  const price = { product: plan.id, currency: 'usd', unit_amount: 1000, lookup_key: 'monthly' };
  monthly = (await app.post('/prices', { ...price, recurring: { interval: 'month' } })).body.id;
  await quiet(tollgate);
});
afterAll(() => tollgate.close());
beforeEach(() => {
  tollgate.sandbox.control.setFaults({ drop: 0, duplicate: 0, shuffle: 0 });
});

async function subscribe(customerId: string): Promise<{ subscription: string; customer: string }> {
  const urls = { success_url: 'http://localhost/done', cancel_url: 'http://localhost/' };
  const { body } = await app.post('/checkout/sessions', { customer_id: customerId, lookup_key: 'monthly', ...urls });
  tollgate.sandbox.control.payCheckout(body.id);
  const session = await tollgate.stripe.checkout.sessions.retrieve(body.id);
  await heard();
  return { subscription: String(session.subscription), customer: String(session.customer) };
}

/** In Stripe's dashboard: nobody here knows whose it is. */
async function subscribeByHand(): Promise<{ subscription: string; customer: string }> {
  const { stripe } = tollgate;
  const customer = await stripe.customers.create();
  const method = await stripe.paymentMethods.attach('pm_card_visa', { customer: customer.id });
  const { id } = await stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price: monthly }],
    default_payment_method: method.id,
  });
  return { subscription: id, customer: customer.id };
}

async function heard(): Promise<void> {
  await tollgate.sandbox.control.settled();
  await quiet(tollgate);
}

/** Nothing of what happens from here on is told. */
function silence(): void {
  tollgate.sandbox.control.setFaults({ drop: 1 });
}

function pass(days: number): void {
  tollgate.sandbox.control.advance({ days });
}

/** The ids of the subscription's invoices, oldest first. */
async function invoicesOf(subscription: string): Promise<string[]> {
  const { data } = await tollgate.stripe.invoices.list({ subscription, limit: 100 });
  return data.map(({ id }) => String(id)).reverse();
}

async function paidInvoices(customerId: string): Promise<string[]> {
  const { data } = (await app.get(`/customers/${customerId}/payments?limit=100`)).body;
  return data.map((payment: { paid_for: { invoice_id: string } }) => payment.paid_for.invoice_id).reverse();
}

const ofInvoices = ({ drifts }: FinishedRun) =>
  drifts.filter(({ object_type }) => object_type === 'invoice').map(({ object_id }) => object_id);

describe('webhooks', () => {
  test.each([1, 2, 3])('that tell of two renewals at once, in any order (%i), leave none out', async (seed) => {
    const { subscription } = await subscribe(`ada_${seed}`);
    tollgate.sandbox.control.setFaults({ shuffle: 1, duplicate: 1, seed });
    pass(63);
    await heard();
    const invoices = await invoicesOf(subscription);
    expect(invoices).toHaveLength(3);
    expect(await paidInvoices(`ada_${seed}`)).toEqual(invoices);
    expect((await reconcile(tollgate)).drifts).toEqual([]);
  });

  test('bring in the payments from before anybody knew whose the subscription is', async () => {
    const { subscription, customer } = await subscribeByHand();
    pass(63);
    await heard();
    await app.put('/customers/bea', { stripe_customer_id: customer });
    await heard();
    expect(await paidInvoices('bea')).toEqual(await invoicesOf(subscription));
    expect((await reconcile(tollgate)).drifts).toEqual([]);
  });

  test('of a subscription with many old payments, once it is known whose it is, cost no call for each of them', async () => {
    const { subscription, customer } = await subscribeByHand();
    pass(370);
    await heard();
    const asked: string[] = [];
    const count = ({ method, path }: { method: string; path: string }) => void asked.push(`${method} ${path}`);
    tollgate.stripe.on('request', count);
    await app.put('/customers/ben', { stripe_customer_id: customer });
    await heard();
    tollgate.stripe.off('request', count);
    expect(asked.filter((call) => /payment|refund|dispute/.test(call.split('?')[0] ?? ''))).toEqual([]);
    expect(asked.length).toBeLessThan(13);
    expect(await paidInvoices('ben')).toHaveLength(13);
    expect(await paidInvoices('ben')).toEqual(await invoicesOf(subscription));
  });
});

describe('an import', () => {
  test('brings in every payment of what it takes, so that a reconciliation finds nothing', async () => {
    const { stripe, admin } = tollgate;
    const made = await admin.post('/admin/projects', { name: 'Adopted', slug: 'adopted' });
    const product = await stripe.products.create({ name: 'Old' });
    const terms = { product: product.id, currency: 'usd', unit_amount: 700, recurring: { interval: 'month' as const } };
    const price = await stripe.prices.create(terms);
    const customer = await stripe.customers.create({ metadata: { user_id: 'old' } });
    const method = await stripe.paymentMethods.attach('pm_card_visa', { customer: customer.id });
    const { id } = await stripe.subscriptions.create({
      customer: customer.id,
      items: [{ price: price.id }],
      default_payment_method: method.id,
    });
    pass(63);
    await heard();
    const started = await admin.post('/admin/import', {
      project_id: made.body.id,
      products: [{ product: product.id }],
      customer_id_from: 'metadata.user_id',
      reason: 'They move',
    });
    expect(started.status).toBe(202);
    const status = async () => (await admin.get(`/admin/imports/${started.body.id}`)).body.status;
    await tollgate.until(async () => (await status()) === 'completed', 20_000, 'the import ends');
    await heard();
    const { data } = (await tollgate.as(made.body.secret_key).get('/customers/old/payments')).body;
    const invoices = data.map((payment: { paid_for: { invoice_id: string } }) => payment.paid_for.invoice_id);
    expect(invoices.reverse()).toEqual(await invoicesOf(id));
    expect(invoices).toHaveLength(3);
    expect((await reconcile(tollgate)).drifts).toEqual([]);
  });
});

describe('a reconciliation', () => {
  test('finds every payment of which nobody told, says why and since when, and then finds nothing', async () => {
    const { subscription } = await subscribe('cleo');
    silence();
    pass(63);
    await heard();
    const invoices = await invoicesOf(subscription);
    expect(await paidInvoices('cleo')).toEqual(invoices.slice(0, 1));

    const dry = await reconcile(tollgate, { dry_run: true });
    expect(await paidInvoices('cleo')).toEqual(invoices.slice(0, 1));
    const run = await reconcile(tollgate);
    expect(await paidInvoices('cleo')).toEqual(invoices);
    for (const { found, action } of [
      { found: dry, action: 'would_repair' },
      { found: run, action: 'repaired' },
    ]) {
      for (const object_id of invoices.slice(1)) {
        expect(found.drifts.find((drift) => drift.object_id === object_id)).toMatchObject({
          kind: 'missing_locally',
          object_type: 'invoice',
          customer_id: 'cleo',
          cause: 'event_not_delivered',
          arose_at: expect.any(String),
          action,
          fields: expect.arrayContaining([{ field: '0.amount_minor', before: null, after: 1000 }]),
        });
      }
    }
    expect(ofInvoices(dry).sort()).toEqual(ofInvoices(run).sort());
    expect((await reconcile(tollgate)).drifts).toEqual([]);
  });

  test('of one customer looks at all of their invoices, and at nobody else’s', async () => {
    const [one, other] = [await subscribe('dan'), await subscribe('don')];
    silence();
    pass(32);
    await heard();
    const run = await reconcile(tollgate, { project_id: tollgate.project.id, customer_id: 'dan' });
    expect(ofInvoices(run)).toEqual((await invoicesOf(one.subscription)).slice(1));
    expect(await paidInvoices('dan')).toEqual(await invoicesOf(one.subscription));
    expect(await paidInvoices('don')).toEqual((await invoicesOf(other.subscription)).slice(0, 1));
    expect(ofInvoices(await reconcile(tollgate)).length).toBeGreaterThan(0);
    expect(await paidInvoices('don')).toEqual(await invoicesOf(other.subscription));
  });

  test('reads only what is new, and yet finds an old invoice that was paid late', async () => {
    const { subscription, customer } = await subscribe('eva');
    tollgate.sandbox.control.failNextPayment({ customer });
    pass(31);
    await heard();
    const [, owed] = await invoicesOf(subscription);
    const open = await tollgate.stripe.invoices.retrieve(String(owed));
    expect(open.status).toBe('open');
    await reconcile(tollgate);
    await tollgate.stripe.invoices.markUncollectible(String(owed));
    pass(5);
    await heard();
    await reconcile(tollgate);
    silence();
    await tollgate.stripe.invoices.pay(String(owed));
    await heard();
    expect(await paidInvoices('eva')).not.toContain(owed);
    const run = await reconcile(tollgate);
    expect(ofInvoices(run)).toEqual([owed]);
    expect(run.counts).toMatchObject({ asked: 1 });
    expect(await paidInvoices('eva')).toContain(owed);
    const second = await reconcile(tollgate);
    expect(second.drifts).toEqual([]);
  });

  test('brings in every payment of a subscription of which nobody told at all', async () => {
    silence();
    const { subscription } = await subscribe('finn');
    pass(63);
    await heard();
    const run = await reconcile(tollgate);
    expect(run.drifts).toContainEqual(expect.objectContaining({ object_id: subscription, action: 'repaired' }));
    expect(await paidInvoices('finn')).toEqual(await invoicesOf(subscription));
    expect((await reconcile(tollgate)).drifts).toEqual([]);
  });
});
