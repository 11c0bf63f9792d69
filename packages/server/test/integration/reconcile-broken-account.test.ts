/** Lists that are cut short, pages that fail, and a key of another account: nobody loses access on the strength of that. */
import { createServer, type Server } from 'node:http';
import { type Sandbox, startSandbox } from '@tollgate/stripe-sandbox';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLog } from '../../src/platform/log.ts';
import { reconcileTask } from '../../src/reconciliation/run.ts';
import { createConnections, createStripeClient } from '../../src/stripe/connections.ts';
import { createPace } from '../../src/stripe/pace.ts';
import { eventTypes, type FinishedRun, finished, quiet } from '../support/reconciling.ts';
import { startRefusingStripe } from '../support/refusing-stripe.ts';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

let tollgate: Tollgate;
let short: { url: string; server: Server };
let other: Sandbox;

beforeAll(async () => {
  tollgate = await startTollgate();
  short = await startShortStripe(tollgate.sandbox.url);
  other = await startSandbox();
  const { secret, sandbox } = tollgate;
  await secret.post('/features', { code: 'pro', name: 'Pro', type: 'boolean' });
  const { body: product } = await secret.post('/products', { name: 'Pro', features: [{ code: 'pro' }] });
  const terms = { product: product.id, currency: 'usd', unit_amount: 500, lookup_key: 'monthly' };
  await secret.post('/prices', { ...terms, recurring: { interval: 'month' } });
  const urls = { success_url: 'http://localhost/done', cancel_url: 'http://localhost/' };
  for (const customer_id of ['ada', 'bob']) {
    const { body } = await secret.post('/checkout/sessions', { customer_id, lookup_key: 'monthly', ...urls });
    sandbox.control.payCheckout(body.id);
  }
  await sandbox.control.settled();
  await quiet(tollgate);
});
afterAll(async () => {
  short.server.closeAllConnections();
  await new Promise((resolve) => short.server.close(resolve));
  await other.close();
  await tollgate.close();
});

/** The sandbox, whose lists end after their first object. */
async function startShortStripe(sandboxUrl: string) {
  const server = createServer(async (request, response) => {
    const at = request.url ?? '/';
    const authorization = request.headers.authorization ?? '';
    const answer = await fetch(sandboxUrl + at, { method: request.method ?? 'GET', headers: { authorization } });
    const body = (await answer.json()) as { object?: string; data?: unknown[] };
    const shown = body.object === 'list' ? { ...body, data: body.data?.slice(0, 1), has_more: false } : body;
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(shown));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return { url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`, server };
}

let runs = 0;

async function queueRun(dryRun = false): Promise<string> {
  runs += 1;
  const id = `run_over_a_broken_account_${runs}`;
  const whole = { project_id: null, customer_id: null, trigger: 'manual', counts: '{}' } as const;
  await tollgate.database.db
    .insertInto('tollgate.reconciliation_runs')
    .values({ id, ...whole, status: 'queued', dry_run: dryRun, created_at: new Date() })
    .execute();
  return id;
}

/** Works on a run over what answers at an address, and perhaps over another connection's, in one attempt. */
async function work(id: string, apiBase: string, others: Record<string, string> = {}, maxAttempts = 1): Promise<void> {
  const connections = createConnections(
    Object.entries({ default: apiBase, ...others }).map(([connection, address]) => ({
      id: connection,
      client: createStripeClient({ secretKey: 'sk_test_of_the_tests', apiBase: address }),
      webhookSecrets: ['whsec_unused'],
      livemode: false,
      installation: 'tests',
    })),
  );
  const deps = { db: tollgate.database.db, clock: tollgate.clock, connections, log: createLog('silent'), eventTypes };
  // Where there are more attempts, the test makes them, and not the service's own workers.
  const retry = { maxAttempts: 1, baseMs: 1, capMs: maxAttempts === 1 ? 1 : 1_000_000 };
  const { signal } = new AbortController();
  await reconcileTask(deps, { pace: createPace(null), retry })({ runId: id }, { attempt: 1, maxAttempts, signal });
}

async function reconcileOver(apiBase: string, dryRun = false): Promise<FinishedRun> {
  const id = await queueRun(dryRun);
  await work(id, apiBase);
  return await finished(tollgate, id);
}

async function areEntitled(): Promise<boolean[]> {
  const check = async (id: string) => (await tollgate.secret.get(`/check?customer_id=${id}&feature=pro`)).body.entitled;
  return [await check('ada'), await check('bob')];
}

test('what a list that was cut short leaves out is asked for one by one', async () => {
  const run = await reconcileOver(short.url);
  // A product, a price, two customers, two subscriptions, and the one invoice that the list shows.
  expect(run).toMatchObject({ status: 'completed', drifts: [], counts: { asked: 2, in_sync: 7 } });
  expect(await areEntitled()).toEqual([true, true]);
});

test('an account in which nothing can be found has lost nothing: that needs a person, dry or not', async () => {
  for (const dryRun of [true, false]) {
    const run = await reconcileOver(other.url, dryRun);
    const objects = run.drifts.map(({ object_type }) => object_type).sort();
    expect(objects).toEqual(['customer', 'customer', 'price', 'product', 'subscription', 'subscription']);
    const person = {
      kind: 'missing_in_stripe',
      action: 'needs_person',
      detail: expect.stringContaining('Check that the key of the connection default'),
    };
    for (const drift of run.drifts) expect(drift).toMatchObject(person);
  }
  expect(await areEntitled()).toEqual([true, true]);
});

test('a page that fails leaves the run unfinished, and everything as it was', async () => {
  const id = await queueRun();
  tollgate.sandbox.control.failRequests({ method: 'GET', path: '/v1/subscriptions', times: 50, outcome: 403 });
  await work(id, tollgate.sandbox.url).catch(() => {});
  tollgate.sandbox.control.clearFaults();
  expect((await tollgate.admin.get(`/admin/reconciliations/${id}`)).body.status).toBe('running');
  expect(await areEntitled()).toEqual([true, true]);
  // The service's own workers go on with it.
  expect(await finished(tollgate, id)).toMatchObject({ status: 'completed', drifts: [], counts: { in_sync: 8 } });
});

test('a key that was revoked ends nobody’s access: the run fails at once, and the next one with another key is whole', async () => {
  using revoked = await startRefusingStripe(401, other.url);
  const id = await queueRun();
  await work(id, revoked.url, {}, 10);
  const { body: run } = await tollgate.admin.get(`/admin/reconciliations/${id}`);
  expect(run).toMatchObject({ status: 'failed', drifts: [], counts: { in_sync: 0 } });
  expect(run.error).toContain('default');
  expect(run.error).toContain("does not take the connection's key");
  expect(await areEntitled()).toEqual([true, true]);
  expect(await reconcileOver(tollgate.sandbox.url)).toMatchObject({
    status: 'completed',
    drifts: [],
    error: null,
    counts: { in_sync: 8 },
  });
});

test('an account that answers nothing uses up attempts, and the last one fails the run', async () => {
  using away = await startRefusingStripe(500, other.url);
  const id = await queueRun();
  const now = async () => (await tollgate.admin.get(`/admin/reconciliations/${id}`)).body;
  await expect(work(id, away.url, {}, 10)).rejects.toThrow();
  expect(await now()).toMatchObject({ status: 'running', error: expect.stringContaining('default') });
  await expect(work(id, away.url)).rejects.toThrow();
  expect(await now()).toMatchObject({ status: 'failed', drifts: [] });
  expect(await areEntitled()).toEqual([true, true]);
});

describe('a connection among others', () => {
  /** A product that differs in the account that works. */
  async function rename(): Promise<string> {
    const [product] = (await tollgate.stripe.products.list({ limit: 1 })).data;
    tollgate.sandbox.control.setFaults({ drop: 1 });
    await tollgate.stripe.products.update(String(product?.id), { name: `Renamed ${runs}` });
    await tollgate.sandbox.control.settled();
    tollgate.sandbox.control.clearFaults();
    return String(product?.id);
  }

  async function runNow(id: string) {
    return (await tollgate.admin.get(`/admin/reconciliations/${id}`)).body;
  }

  test('whose key was revoked leaves the others to be reconciled; the run fails and names it', async () => {
    using revoked = await startRefusingStripe(401, other.url);
    const product = await rename();
    const id = await queueRun();
    await work(id, tollgate.sandbox.url, { acme: revoked.url }, 10);
    const run = await runNow(id);
    expect(run).toMatchObject({ status: 'failed', counts: { in_sync: 7, repaired: 1 } });
    expect(run.error).toContain('acme');
    expect(run.error).not.toContain('default');
    expect(run.drifts).toMatchObject([{ object_id: product, action: 'repaired' }]);
    expect(await areEntitled()).toEqual([true, true]);
    const { body: trail } = await tollgate.admin.get('/admin/audit?action=reconciliation.failed&limit=1');
    expect(trail.data).toMatchObject([{ detail: { run: id, connections: ['acme'] } }]);
  });

  test('whose account is away is tried again, says so meanwhile, and keeps nobody waiting', async () => {
    using away = await startRefusingStripe(500, other.url);
    const product = await rename();
    const id = await queueRun();
    // One before it in order, and one after it.
    const others = { acme: away.url, zeta: other.url };
    // The job asks for another one, later.
    await work(id, tollgate.sandbox.url, others, 10);
    const meanwhile = await runNow(id);
    expect(meanwhile).toMatchObject({ status: 'running', error: expect.stringContaining('acme') });
    expect(meanwhile.drifts).toMatchObject([{ object_id: product, action: 'repaired' }]);
    await expect(work(id, tollgate.sandbox.url, others, 10)).rejects.toThrow();
    away.state.status = 200;
    await work(id, tollgate.sandbox.url, others, 10);
    // What was gone through is not gone through again.
    expect(await runNow(id)).toMatchObject({ status: 'completed', error: null, counts: { in_sync: 7, repaired: 1 } });
  });

  test('that cannot be used at all is not passed over in silence', async () => {
    const { body: project } = await tollgate.admin.post('/admin/projects', { name: 'Away', slug: 'away' });
    const place = (connection: string) =>
      tollgate.database.db
        .updateTable('tollgate.projects')
        .set({ connection_id: connection })
        .where('id', '=', project.id)
        .execute();
    await place('unusable');
    const id = await queueRun();
    await work(id, tollgate.sandbox.url, {}, 10);
    await place('default');
    const run = await runNow(id);
    expect(run).toMatchObject({ status: 'failed', counts: { in_sync: 8 } });
    expect(run.error).toContain('unusable');
  });
});
