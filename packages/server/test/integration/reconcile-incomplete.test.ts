import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLog } from '../../src/platform/log.ts';
import { reconcileTask } from '../../src/reconciliation/run.ts';
import { createConnections, createStripeClient } from '../../src/stripe/connections.ts';
import { createPace } from '../../src/stripe/pace.ts';
import { eventTypes, finished, quiet } from '../support/reconciling.ts';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

let tollgate: Tollgate;
let forgetful: { url: string; server: Server; asked: string[] };

beforeAll(async () => {
  tollgate = await startTollgate();
  forgetful = await startForgetfulStripe(tollgate.sandbox.url);
});
afterAll(async () => {
  forgetful.server.closeAllConnections();
  await new Promise((resolve) => forgetful.server.close(resolve));
  await tollgate.close();
});

/** The sandbox, with lists that show nothing: as Stripe's leave out what belongs to a test clock. */
async function startForgetfulStripe(sandboxUrl: string) {
  const asked: string[] = [];
  const server = createServer(async (request, response) => {
    const at = request.url ?? '/';
    asked.push(at.split('?')[0] ?? at);
    const answer = await fetch(sandboxUrl + at, {
      method: request.method ?? 'GET',
      headers: { authorization: request.headers.authorization ?? '' },
    });
    const body = (await answer.json()) as Record<string, unknown>;
    const isList = /^\/v1\/(subscriptions|invoices|customers|products|prices|checkout\/sessions)\?/.test(at);
    const shown = isList && !at.includes('payment_intent=') ? { ...body, data: [], has_more: false } : body;
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(shown));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { url: `http://127.0.0.1:${port}`, server, asked };
}

test('nobody loses access because a list was incomplete: what it leaves out is asked for one by one', async () => {
  const { secret, database, until } = tollgate;
  await secret.post('/features', { code: 'pro', name: 'Pro', type: 'boolean' });
  for (const [lookupKey, recurring] of [
    ['monthly', { recurring: { interval: 'month' } }],
    ['life', {}],
  ] as const) {
    const { body: product } = await secret.post('/products', { name: lookupKey, features: [{ code: 'pro' }] });
    const terms = { product: product.id, currency: 'usd', unit_amount: 500, lookup_key: lookupKey };
    await secret.post('/prices', { ...terms, ...recurring });
    const urls = { success_url: 'http://localhost/done', cancel_url: 'http://localhost/' };
    const { body: session } = await secret.post('/checkout/sessions', {
      customer_id: `buyer_${lookupKey}`,
      lookup_key: lookupKey,
      ...urls,
    });
    const form = new URLSearchParams({ card_number: '4242424242424242' });
    await fetch(`${session.url}/pay`, { method: 'POST', body: form, redirect: 'manual' });
  }
  const isEntitled = async (id: string) =>
    (await secret.get(`/check?customer_id=${id}&feature=pro`)).body.entitled as boolean;
  await until(async () => (await isEntitled('buyer_monthly')) && (await isEntitled('buyer_life')));
  await tollgate.sandbox.control.settled();
  await quiet(tollgate);

  const id = 'run_over_incomplete_lists';
  await database.db
    .insertInto('tollgate.reconciliation_runs')
    .values({
      id,
      project_id: null,
      customer_id: null,
      status: 'queued',
      trigger: 'manual',
      counts: '{}',
      created_at: new Date(),
    })
    .execute();
  const client = createStripeClient({ secretKey: 'sk_test_of_the_tests', apiBase: forgetful.url });
  const connection = { id: 'default', client, webhookSecrets: ['whsec_unused'], livemode: false };
  const connections = createConnections([{ ...connection, installation: 'tests' }]);
  const deps = { db: database.db, clock: tollgate.clock, connections, log: createLog('silent'), eventTypes };
  const signal = new AbortController().signal;
  await reconcileTask(deps, { pace: createPace(null) })({ runId: id }, { attempt: 1, maxAttempts: 1, signal });

  const run = await finished(tollgate, id);
  // Two products, two prices, two customers, a subscription and a purchase.
  expect(run).toMatchObject({ status: 'completed', drifts: [], counts: { listed: 0, asked: 8, in_sync: 8 } });
  expect(forgetful.asked.some((at) => /^\/v1\/subscriptions\/sub_\w+$/.test(at))).toBe(true);
  expect([await isEntitled('buyer_monthly'), await isEntitled('buyer_life')]).toEqual([true, true]);
});
