/** What becomes of an import that something stands in the way of. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { importTask } from '../../src/adoption/run.ts';
import { requestRecomputation } from '../../src/entitlements/recompute-customers.ts';
import { createLog } from '../../src/platform/log.ts';
import { createPace } from '../../src/reconciliation/pace.ts';
import { createConnections } from '../../src/stripe/connections.ts';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

const LONGEST_PAUSE_MS = 1_500;

let tollgate: Tollgate;
beforeAll(async () => {
  tollgate = await startTollgate({ deaf: true, callsPerSecond: null });
  await tollgate.stripe.products.create({ name: 'Pro' });
});
afterAll(() => tollgate.close());

/** Makes one attempt at an import whose job is taken away, so that nobody else works on it meanwhile. */
async function begin(id: string, { attempt }: { attempt: number }): Promise<{ ended: Promise<void> }> {
  const { db } = tollgate.database;
  const request = JSON.stringify({ products: 'all', customer_id_from: 'stripe_customer_id' });
  const asked = { project_id: tollgate.project.id, connection_id: 'default', request, dry_run: false, actor: 'test' };
  await db
    .insertInto('tollgate.imports')
    .values({ id, ...asked, status: 'queued', reason: 'A test', counts: '{}', created_at: new Date() })
    .execute();
  const connection = { id: 'default', client: tollgate.stripe, webhookSecrets: ['whsec_unused'], livemode: false };
  const task = importTask(
    {
      db,
      clock: tollgate.clock,
      connections: createConnections([{ ...connection, installation: 'tests' }]),
      log: createLog('silent'),
      requestRecomputation,
    },
    { pace: createPace(null), retry: { maxAttempts: 1, baseMs: 1, capMs: LONGEST_PAUSE_MS } },
  );
  const signal = new AbortController().signal;
  return { ended: task({ importId: id }, { attempt, maxAttempts: 10, signal }) };
}

async function importOf(id: string) {
  return (await tollgate.admin.get(`/admin/imports/${id}`)).body;
}

/** As often as the SDK asks for one answer. */
function refuse(path: string): void {
  tollgate.sandbox.control.failRequests({ method: 'GET', path, times: 2, outcome: 500 });
}

test('a failure before the last attempt leaves it to the next one', async () => {
  refuse('/v1/products');
  const id = 'imp_early';
  const { ended } = await begin(id, { attempt: 1 });
  await expect(ended).rejects.toThrow();
  expect(await importOf(id)).toMatchObject({ status: 'running', error: null });
  await tollgate.database.db.deleteFrom('tollgate.imports').where('id', '=', id).execute();
});

test('a failure after it has come further is none in a row: it rests, and goes on at its place', async () => {
  refuse('/v1/checkout/sessions');
  const id = 'imp_further';
  const { ended } = await begin(id, { attempt: 10 });
  await ended;
  expect(await importOf(id)).toMatchObject({ status: 'running', progress: { step: 'payments' } });
  await tollgate.until(async () => (await importOf(id)).status === 'completed', 30_000, 'it is completed');
  expect(await importOf(id)).toMatchObject({ counts: { products: 1 } });
});

test('a failure at the last attempt ends it with the reason; no job is given up for it', async () => {
  refuse('/v1/products');
  const id = 'imp_last';
  const { ended } = await begin(id, { attempt: 10 });
  await ended;
  expect(await importOf(id)).toMatchObject({ status: 'failed', error: expect.stringMatching(/\S/) });
  const { body: trail } = await tollgate.admin.get('/admin/audit?action=import.failed&limit=1');
  expect(trail.data).toMatchObject([{ detail: { import: id } }]);
});
