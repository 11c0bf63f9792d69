/**
 * Of all events a fifth is lost, a fifth comes twice and the rest in any order, while customers buy, renew, fail to pay,
 * cancel and get their money back. One reconciliation leaves no difference. `make torture-lost` does it with more of them.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { quiet, reconcile } from '../support/reconciling.ts';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

const CUSTOMERS = Number(process.env.TORTURE_CUSTOMERS ?? 14);
const SEED = Number(process.env.TORTURE_SEED ?? 1);
const MINUTES = Math.max(2, CUSTOMERS / 30);

let tollgate: Tollgate;

beforeAll(async () => {
  tollgate = await startTollgate({ callsPerSecond: null });
  const { secret } = tollgate;
  await secret.post('/features', { code: 'pro', name: 'Pro', type: 'boolean' });
  for (const [lookupKey, recurring] of [
    ['monthly', { recurring: { interval: 'month' } }],
    ['life', {}],
  ] as const) {
    const { body: product } = await secret.post('/products', { name: lookupKey, features: [{ code: 'pro' }] });
    const terms = { product: product.id, currency: 'usd', unit_amount: 900, lookup_key: lookupKey };
    await secret.post('/prices', { ...terms, ...recurring });
  }
  await tollgate.sandbox.control.settled();
  await quiet(tollgate);
});
afterAll(() => tollgate.close());

/** @returns the id of the subscription, or of the payment intent */
async function buy(customerId: string, lookupKey: 'monthly' | 'life'): Promise<string> {
  const urls = { success_url: 'http://localhost/done', cancel_url: 'http://localhost/' };
  const session = { customer_id: customerId, lookup_key: lookupKey, ...urls };
  const { body } = await tollgate.secret.post('/checkout/sessions', session);
  tollgate.sandbox.control.payCheckout(body.id);
  const paid = await tollgate.stripe.checkout.sessions.retrieve(body.id);
  return String(lookupKey === 'monthly' ? paid.subscription : paid.payment_intent);
}

/** What the nth customer does besides buying. */
const STORIES: readonly ((bought: { subscription: string; payment: string }) => Promise<unknown>)[] = [
  ({ subscription }) => tollgate.stripe.subscriptions.cancel(subscription),
  ({ subscription }) => tollgate.stripe.subscriptions.update(subscription, { cancel_at_period_end: true }),
  ({ payment }) => tollgate.stripe.refunds.create({ payment_intent: payment }),
  ({ payment }) => tollgate.stripe.refunds.create({ payment_intent: payment, amount: 300 }),
  async ({ payment }) => tollgate.sandbox.control.dispute(payment),
  async ({ subscription }) => {
    const { customer } = await tollgate.stripe.subscriptions.retrieve(subscription);
    tollgate.sandbox.control.failNextPayment({ customer: String(customer) });
  },
  async () => {},
];

test(
  'one reconciliation after lost, doubled and shuffled events leaves no difference, and a second finds none',
  async () => {
    const { control } = tollgate.sandbox;
    control.setFaults({ drop: 0.2, duplicate: 0.2, shuffle: 0.6, seed: SEED });
    for (let n = 0; n < CUSTOMERS; n++) {
      const subscription = await buy(`u_${n}`, 'monthly');
      const payment = await buy(`u_${n}`, 'life');
      await STORIES[n % STORIES.length]?.({ subscription, payment });
    }
    control.advance({ days: 33 });
    await control.settled();
    await quiet(tollgate, (MINUTES * 60_000) / 2);
    control.clearFaults();

    const dry = await reconcile(tollgate, { dry_run: true });
    const first = await reconcile(tollgate);
    const second = await reconcile(tollgate);
    const causes = Object.groupBy(first.drifts, ({ cause }) => cause);
    const told = Object.entries(causes).map(([cause, drifts]) => `${cause} ${drifts?.length}`);
    console.info(
      `${CUSTOMERS} customers, seed ${SEED}: ${first.counts.drifts} drifts (${told.join(', ')}), ` +
        `${first.counts.repaired} repaired, then ${second.counts.drifts}`,
    );
    expect(first.counts.drifts).toBeGreaterThan(0);
    const objects = ({ drifts }: typeof first) => drifts.map(({ object_id, kind }) => `${kind} ${object_id}`).sort();
    expect(objects(dry)).toEqual(objects(first));
    expect(first.drifts.filter(({ action }) => action !== 'repaired')).toEqual([]);
    expect(second.drifts).toEqual([]);
  },
  MINUTES * 60_000,
);
