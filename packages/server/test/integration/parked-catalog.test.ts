/** What was parked because nothing said which project had sold it is settled once its product is known. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { quiet, reconcile } from '../support/reconciling.ts';
import { startTollgate, type Tollgate, WEBHOOK_SECRET } from '../support/tollgate.ts';

/** No event of the sandbox arrives unless a test says so: none waits for what a reconciliation has parked. */
let tollgate: Tollgate;

beforeAll(async () => {
  tollgate = await startTollgate({ deaf: true, callsPerSecond: null });
});
afterAll(() => tollgate.close());

/** A subscription to a product that is no project's, with a stamp that names a customer alone. */
async function parkedSubscription() {
  const { admin, stripe } = tollgate;
  const slug = `other-${randomBytes(4).toString('hex')}`;
  const { body: other } = await admin.post('/admin/projects', { name: 'Other', slug });
  const app = tollgate.as(other.secret_key);
  const { id: customer } = await stripe.customers.create({});
  const { id: product } = await stripe.products.create({ name: 'Old' });
  const terms = { product, currency: 'eur', unit_amount: 900, recurring: { interval: 'month' } } as const;
  const { id: price } = await stripe.prices.create(terms);
  const { id: card } = await stripe.paymentMethods.attach('pm_card_visa', { customer });
  const { id } = await stripe.subscriptions.create({
    customer,
    items: [{ price }],
    default_payment_method: card,
    metadata: { tollgate_installation: 'tests', tollgate_customer: 'ada' },
  });
  await reconcile(tollgate);
  const { body } = await admin.get(`/admin/parked?status=open&object_id=${id}`);
  expect(body.data).toMatchObject([{ reason: 'stamped_project_unknown' }]);
  return { id, product, project: other.id as string, app };
}

type Parked = Awaited<ReturnType<typeof parkedSubscription>>;

test.each([
  [
    'the project imports it',
    async ({ app, product }: Parked) => {
      expect((await app.post('/products/import', { stripe_product_id: product })).status).toBe(201);
    },
  ],
  [
    'an event tells that it is stamped for the project',
    async ({ product, project }: Parked) => {
      tollgate.sandbox.deliverTo([{ url: `${tollgate.url}/api/v1/webhooks/stripe`, secret: WEBHOOK_SECRET }]);
      const metadata = { tollgate_installation: 'tests', tollgate_project: project };
      await tollgate.stripe.products.update(product, { metadata });
      await tollgate.sandbox.control.settled();
      tollgate.sandbox.deliverTo([]);
    },
  ],
])('a parked subscription is looked at again as soon as its product is known: %s', async (_, becomesKnown) => {
  const parked = await parkedSubscription();
  await becomesKnown(parked);
  await quiet(tollgate);
  const { body } = await tollgate.admin.get(`/admin/parked?status=resolved&object_id=${parked.id}`);
  expect(body.data).toMatchObject([{ resolution: 'attributed' }]);
  expect((await parked.app.get('/customers/ada')).body.subscriptions).toMatchObject([{ id: parked.id }]);
});
