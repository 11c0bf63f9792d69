/** An import goes on where it was, and only one process works on it: no page is gone through twice. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { importTask } from '../../src/adoption/run.ts';
import { startImport } from '../../src/adoption/start-import.ts';
import { requestRecomputation } from '../../src/entitlements/recompute-customers.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { createLog } from '../../src/platform/log.ts';
import { createConnections, createStripeClient } from '../../src/stripe/connections.ts';
import { createPace } from '../../src/stripe/pace.ts';
import { startHoldingStripe } from '../support/holding-stripe.ts';
import { INSTALLATION, type Selling, startSelling } from '../support/selling.ts';

const SUBSCRIPTIONS = 5;

let selling: Selling;
let id: string;

beforeEach(async () => {
  selling = await startSelling();
  const { stripe, database } = selling;
  const project = await selling.createProject('adopted');
  const product = await stripe.products.create({ name: 'Pro' });
  const recurring = { interval: 'month' } as const;
  const price = await stripe.prices.create({ product: product.id, currency: 'eur', unit_amount: 900, recurring });
  for (let n = 0; n < SUBSCRIPTIONS; n++) {
    const customer = await stripe.customers.create({});
    const card = await stripe.paymentMethods.attach('pm_card_visa', { customer: customer.id });
    const items = [{ price: price.id }];
    await stripe.subscriptions.create({ customer: customer.id, items, default_payment_method: card.id });
  }
  const request = { products: 'all', customer_id_from: 'stripe_customer_id' } as const;
  const input = { projectId: project.id, dryRun: false, request, reason: 'A test' };
  const context = { actor: 'test', keyId: null, requestId: null };
  ({ id } = await startImport({ db: database.db, clock: systemClock }, input, context));
});
afterEach(() => selling.close());

/** Works on the import, as a process with a connection of its own. @param asked - what it asks Stripe for */
async function work(apiBase = selling.sandbox.url, asked: string[] = []): Promise<void> {
  const client = createStripeClient({ secretKey: 'sk_test_importing', apiBase });
  client.on('request', ({ path }: { path: string }) => void asked.push(path));
  const connection = { id: 'default', client, webhookSecrets: ['whsec_unused'], livemode: false };
  const task = importTask(
    {
      db: selling.database.db,
      clock: systemClock,
      connections: createConnections([{ ...connection, installation: INSTALLATION }]),
      log: createLog('silent'),
      requestRecomputation,
    },
    { pageSize: 2, pace: createPace(null), retry: { maxAttempts: 1, baseMs: 1, capMs: 1 } },
  );
  await task({ importId: id }, { attempt: 1, maxAttempts: 10, signal: new AbortController().signal });
}

const row = () =>
  selling.database.db.selectFrom('tollgate.imports').selectAll().where('id', '=', id).executeTakeFirstOrThrow();

const ALL = { status: 'completed', counts: { subscriptions: SUBSCRIPTIONS, applied: SUBSCRIPTIONS, unchanged: 0 } };

test('one that failed in the middle of a step goes on at its page, not at the beginning of the step', async () => {
  using holding = await startHoldingStripe(selling.sandbox.url);
  const first = holding.holdNext('/v1/subscriptions?');
  const attempt = work(holding.url);
  await first.arrived;
  // As often as the SDK asks for one answer.
  selling.sandbox.control.failRequests({ method: 'GET', path: '/v1/subscriptions', times: 2, outcome: 500 });
  first.release();
  await attempt;
  expect(await row()).toMatchObject({
    status: 'running',
    cursor: { step: 'subscriptions' },
    counts: { subscriptions: 2, applied: 2 },
  });
  await work();
  expect(await row()).toMatchObject(ALL);
});

test('one that two processes come to is left alone by the one that is behind', async () => {
  using slow = await startHoldingStripe(selling.sandbox.url);
  using quick = await startHoldingStripe(selling.sandbox.url);
  const page = slow.holdNext('/v1/subscriptions?');
  const asked: string[] = [];
  const behind = work(slow.url, asked);
  await page.arrived;
  const later = quick.holdNext('/v1/checkout/sessions?');
  const ahead = work(quick.url);
  await later.arrived;
  const before = { row: await row(), asked: asked.length };
  page.release();
  await behind;
  expect({ row: await row(), asked: asked.length }).toEqual(before);
  later.release();
  await ahead;
  expect(await row()).toMatchObject(ALL);
});
