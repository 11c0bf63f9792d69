/** Some of an account's products are imported, and their buyers bought others as well. No event of it ever arrives. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { reconcile } from '../support/reconciling.ts';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

interface Product {
  product: string;
  monthly: string;
  lifetime: string;
}
interface Imported {
  id: string;
  status: string;
  counts: Record<string, number>;
  entitled: object[];
}

let tollgate: Tollgate;
let notes: Product;
let other: Product;
let products: object[];

beforeAll(async () => {
  // A page holds less than what one of them has bought.
  tollgate = await startTollgate({ deaf: true, import: { pageSize: 2 }, callsPerSecond: null });
  await tollgate.secret.post('/features', { code: 'pro', name: 'Pro', type: 'boolean' });
  notes = await sold('Notes');
  other = await sold('Something else');
  products = [{ product: notes.product, features: [{ code: 'pro' }] }];
});
afterAll(() => tollgate.close());

async function sold(name: string): Promise<Product> {
  const { stripe } = tollgate;
  const { id: product } = await stripe.products.create({ name });
  const price = { product, currency: 'eur', unit_amount: 900 };
  const monthly = await stripe.prices.create({ ...price, recurring: { interval: 'month' } });
  return { product, monthly: monthly.id, lifetime: (await stripe.prices.create(price)).id };
}

async function somebody(userId: string, stamps: Record<string, string> = {}) {
  const { stripe } = tollgate;
  const { id: customer } = await stripe.customers.create({ metadata: { user_id: userId, ...stamps } });
  const card = await stripe.paymentMethods.attach('pm_card_visa', { customer });
  return {
    subscribes: async ({ monthly: price }: Product) =>
      await stripe.subscriptions.create({ customer, items: [{ price }], default_payment_method: card.id }),
    buys: async ({ lifetime: price }: Product) => {
      const success = 'https://shop.example/thanks';
      const line_items = [{ price, quantity: 1 }];
      const { id } = await stripe.checkout.sessions.create({
        mode: 'payment',
        customer,
        line_items,
        success_url: success,
      });
      tollgate.sandbox.control.payCheckout(id);
      return await stripe.checkout.sessions.retrieve(id);
    },
  };
}

async function importPart(body: object = {}): Promise<Imported> {
  const { admin, project, until } = tollgate;
  const asked = { project_id: project.id, customer_id_from: 'metadata.user_id', reason: 'A test', products, ...body };
  const started = await admin.post('/admin/import', asked);
  const read = async () => (await admin.get(`/admin/imports/${started.body.id}`)).body;
  await until(async () => ['completed', 'failed'].includes((await read()).status), 30_000, 'the import ends');
  return await read();
}

async function had(customerId: string): Promise<{ subscriptions: number; purchases: number }> {
  const { body } = await tollgate.secret.get(`/customers/${customerId}`);
  return { subscriptions: body.subscriptions.length, purchases: body.purchases.length };
}

async function drifts(): Promise<object[]> {
  const run = await reconcile(tollgate);
  return run.drifts.map(({ kind, object_type, customer_id }) => ({ kind, object_type, customer_id }));
}

test('what they bought of the others comes along, whatever they bought first, and a reconciliation finds nothing', async () => {
  const first = await somebody('other_first');
  await first.buys(other);
  await first.subscribes(other);
  await first.subscribes(notes);
  const last = await somebody('other_last');
  await last.subscribes(notes);
  await last.subscribes(other);
  await last.buys(other);
  const refunded = await last.buys(other);
  await tollgate.stripe.refunds.create({ payment_intent: String(refunded.payment_intent) });
  const once = await somebody('once');
  await once.buys(notes);
  await once.buys(other);
  await once.subscribes(other);
  const stranger = await somebody('stranger');
  await stranger.subscribes(other);
  await stranger.buys(other);

  const stamped = await somebody('stamped', { tollgate_project: tollgate.project.id, tollgate_customer: 'stamped' });
  await stamped.buys(other);

  const dry = await importPart({ dry_run: true });
  const real = await importPart();
  expect([dry.status, real.status]).toEqual(['completed', 'completed']);
  expect(await drifts()).toEqual([]);
  expect(await had('other_first')).toEqual({ subscriptions: 2, purchases: 1 });
  expect(await had('other_last')).toEqual({ subscriptions: 2, purchases: 2 });
  expect(await had('once')).toEqual({ subscriptions: 1, purchases: 2 });
  expect(await had('stamped')).toEqual({ subscriptions: 0, purchases: 1 });
  expect((await tollgate.secret.get('/customers/stranger')).status).toBe(404);
  // It unlocks nothing: the products are not the project's.
  expect(real.entitled).toEqual([{ feature: 'pro', customers: 3 }]);
  expect(dry.entitled).toEqual(real.entitled);
  expect(real.counts).toMatchObject({ subscriptions: 6, purchases: 7, applied: 11, elsewhere: 2, linked: 4 });

  const known = { subscriptions: 6, purchases: 7, applied: 0, unchanged: 11, elsewhere: 2 };
  expect((await importPart({ dry_run: true })).counts).toMatchObject(known);
  expect((await importPart()).counts).toMatchObject(known);
});

test('what is bought of a product that the project has already comes, whichever are asked for', async () => {
  await importPart({ products: [{ product: other.product, features: [{ code: 'pro' }] }] });
  const newcomer = await somebody('newcomer');
  await newcomer.buys(other);

  const dry = await importPart({ dry_run: true });
  const real = await importPart();
  expect(real.entitled).toEqual([{ feature: 'pro', customers: 1 }]);
  expect(dry.entitled).toEqual(real.entitled);
  expect(await drifts()).toEqual([]);
});
