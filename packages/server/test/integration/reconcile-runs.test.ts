import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLog } from '../../src/platform/log.ts';
import { reconcileTask } from '../../src/reconciliation/run.ts';
import { scheduleReconcileTask } from '../../src/reconciliation/schedule.ts';
import { createConnections } from '../../src/stripe/connections.ts';
import type { Manner } from '../../src/stripe/manner.ts';
import { createPace } from '../../src/stripe/pace.ts';
import { eventTypes, finished, quiet, reconcile } from '../support/reconciling.ts';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

const IMPATIENT = { maxAttempts: 1, baseMs: 1, capMs: 1 };
const PRODUCTS = 7;
let tollgate: Tollgate;
let product: string;

beforeAll(async () => {
  tollgate = await startTollgate({ deaf: true, callsPerSecond: null, reconcile: { pageSize: 2, retry: IMPATIENT } });
  for (let i = 0; i < PRODUCTS; i++) {
    product = (await tollgate.secret.post('/products', { name: `Product ${i}` })).body.id;
  }
  await quiet(tollgate);
});
afterAll(() => tollgate.close());

/** Starts a run whose job is taken away, so that a test can work on it by itself. */
async function startUnworked(body: object = {}): Promise<string> {
  const { db } = tollgate.database;
  const scope = { project_id: null, customer_id: null, trigger: 'manual', counts: '{}' } as const;
  const id = `run_by_hand_${Math.random().toString(36).slice(2)}`;
  await db
    .insertInto('tollgate.reconciliation_runs')
    .values({ id, status: 'queued', created_at: new Date(), ...scope, ...body })
    .execute();
  return id;
}

function taskWith(options: Partial<Manner>, log = createLog('silent')) {
  const connection = { id: 'default', client: tollgate.stripe, webhookSecrets: ['whsec_unused'], livemode: false };
  return reconcileTask(
    {
      db: tollgate.database.db,
      clock: tollgate.clock,
      connections: createConnections([{ ...connection, installation: 'tests' }]),
      log,
      eventTypes,
    },
    { pace: createPace(null), pageSize: 2, retry: IMPATIENT, ...options },
  );
}

async function runOf(id: string) {
  return (await tollgate.admin.get(`/admin/reconciliations/${id}`)).body;
}

const unhurried = { attempt: 1, maxAttempts: 10, signal: new AbortController().signal };

describe('a reconciliation', () => {
  test('answers 202 with its id, and can be followed', async () => {
    const { status, body } = await tollgate.admin.post('/admin/reconcile', {});
    expect(status).toBe(202);
    expect(body).toEqual({ object: 'reconciliation_run', id: expect.stringMatching(/^run_/), status: 'queued' });
    const run = await finished(tollgate, body.id);
    expect(run).toMatchObject({
      object: 'reconciliation_run',
      status: 'completed',
      dry_run: false,
      trigger: 'manual',
      project_id: null,
      customer_id: null,
      progress: { steps_done: 16, steps_total: 16, percent: 100 },
      drifts: [],
      drifts_has_more: false,
    });
    const list = await tollgate.admin.get('/admin/reconciliations?limit=1');
    expect(list.body).toMatchObject({ object: 'list', data: [{ id: body.id, counts: { listed: PRODUCTS } }] });
  });

  test('of the same scope waits for the one before: 409 with its id; another scope does not', async () => {
    const running = await startUnworked();
    const { status, body } = await tollgate.admin.post('/admin/reconcile', {});
    expect(status).toBe(409);
    expect(body).toMatchObject({ code: 'reconciliation_running', run_id: running });
    const other = await reconcile(tollgate, { project_id: tollgate.project.id });
    expect(other.status).toBe('completed');
    await taskWith({})({ runId: running }, unhurried);
    expect((await tollgate.admin.post('/admin/reconcile', {})).status).toBe(202);
    await quiet(tollgate);
  });

  test('started twenty times at once runs once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => tollgate.admin.post('/admin/reconcile', { project_id: tollgate.project.id })),
    );
    const started = answers.filter(({ status }) => status === 202);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(20 - started.length);
    expect(started.length).toBeGreaterThanOrEqual(1);
    for (const { body } of started) expect((await finished(tollgate, body.id)).counts.listed).toBe(PRODUCTS);
  });

  test('leaves its start, its end and its counts in the audit trail', async () => {
    const { body } = await tollgate.admin.post('/admin/reconcile', { dry_run: true, actor: 'ada' });
    await finished(tollgate, body.id);
    const { body: trail } = await tollgate.admin.get('/admin/audit?limit=2');
    expect(trail.data).toMatchObject([
      { action: 'reconciliation.completed', actor: 'reconciliation', detail: { run: body.id, dry_run: true } },
      { action: 'reconciliation.started', actor: 'ada', detail: { run: body.id, dry_run: true, trigger: 'manual' } },
    ]);
    expect(trail.data[0].detail.counts.listed).toBe(PRODUCTS);
  });

  test('is refused for what there is not, and for a customer without a project', async () => {
    const post = (body: object) => tollgate.admin.post('/admin/reconcile', body);
    expect((await post({ project_id: 'prj_nobody' })).status).toBe(404);
    expect((await post({ project_id: tollgate.project.id, customer_id: 'nobody' })).status).toBe(404);
    expect((await post({ customer_id: 'ada' })).body).toMatchObject({ status: 400, code: 'invalid_request' });
    expect((await post({ everything: true })).status).toBe(400);
    expect((await tollgate.secret.post('/admin/reconcile', {})).status).toBe(403);
    expect((await tollgate.admin.get('/admin/reconciliations/run_nobody')).status).toBe(404);
  });
});

describe('a reconciliation that is cut short', () => {
  test('goes on at the page where it was when Stripe fails, and counts nothing twice', async () => {
    await tollgate.stripe.products.update(product, { name: 'Renamed once' });
    const id = await startUnworked();
    // Products, prices, customers and invoices are answered; the first page of subscriptions is not, nor the SDK's second try.
    tollgate.sandbox.control.failRequests({ method: 'GET', path: '/v1/subscriptions', times: 2, outcome: 500 });
    await taskWith({ retry: { ...IMPATIENT, capMs: 2_000 } })({ runId: id }, unhurried);
    const halfway = await runOf(id);
    expect(halfway).toMatchObject({ status: 'running', counts: { listed: PRODUCTS, repaired: 1 } });
    expect(halfway.progress).toMatchObject({ step: 'default/listed/invoice', steps_done: 3 });

    const run = await finished(tollgate, id);
    expect(run).toMatchObject({ status: 'completed', counts: { listed: PRODUCTS, drifts: 1, repaired: 1 } });
    expect(run.drifts).toMatchObject([{ object_id: product, action: 'repaired' }]);
  });

  test('is gone on with by another process when its own stops in the middle', async () => {
    const id = await startUnworked();
    const stop = new AbortController();
    const { clock } = tollgate;
    let pages = 0;
    const stopping = reconcileTask(
      {
        db: tollgate.database.db,
        // Asked once for each page that is written down, and once at the start.
        clock: {
          now: () => {
            pages += 1;
            if (pages === 3) stop.abort();
            return clock.now();
          },
        },
        connections: createConnections([
          {
            id: 'default',
            client: tollgate.stripe,
            webhookSecrets: ['whsec_unused'],
            livemode: false,
            installation: 'tests',
          },
        ]),
        log: createLog('silent'),
        eventTypes,
      },
      { pace: createPace(null), pageSize: 2, retry: IMPATIENT },
    );
    await stopping({ runId: id }, { ...unhurried, signal: stop.signal });
    // It asked for another job, which the workers of this service take.
    const run = await finished(tollgate, id);
    expect(run).toMatchObject({ status: 'completed', counts: { listed: PRODUCTS, in_sync: PRODUCTS } });
  });

  test('calls repaired what was being repaired when its process died, once it no longer differs', async () => {
    const id = await startUnworked();
    const drift = { kind: 'different', object_type: 'product', object_id: product, cause: 'no_event' } as const;
    const told = { id: `${id}_1`, run_id: id, connection_id: 'default', action: 'repairing', fields: '[]' } as const;
    await tollgate.database.db
      .insertInto('tollgate.drifts')
      .values({ ...told, ...drift, detected_at: new Date() })
      .execute();
    await taskWith({})({ runId: id }, unhurried);
    expect((await runOf(id)).drifts).toMatchObject([{ object_id: product, action: 'repaired' }]);
  });

  test('is worked on by one when two go at it together', async () => {
    const id = await startUnworked();
    let pages = 0;
    const pace = {
      turn: async (endpoint: string) => {
        if (endpoint === 'default/product') pages += 1;
      },
    };
    const task = taskWith({ pageSize: 1, pace });
    await Promise.all([task({ runId: id }, unhurried), task({ runId: id }, unhurried)]);
    expect(await runOf(id)).toMatchObject({ status: 'completed', counts: { listed: PRODUCTS, in_sync: PRODUCTS } });
    // Whoever comes second has asked for a page at most, and for the one behind it.
    expect(pages).toBeLessThanOrEqual(PRODUCTS + 2);
  });

  test('is never called complete: after its last attempt it is failed, and says why', async () => {
    const id = await startUnworked();
    tollgate.sandbox.control.failRequests({ method: 'GET', path: '/v1/products', times: 2, outcome: 500 });
    await expect(taskWith({})({ runId: id }, { ...unhurried, attempt: 10 })).rejects.toThrow();
    const run = await runOf(id);
    expect(run.status).toBe('failed');
    expect(run.error).toEqual(expect.stringMatching(/\S/));
    const { body: trail } = await tollgate.admin.get('/admin/audit?action=reconciliation.failed&limit=1');
    expect(trail.data).toMatchObject([{ detail: { run: id } }]);
    expect((await reconcile(tollgate)).status).toBe('completed');
  });

  test('raises the alarm for what it had found when it failed', async () => {
    const id = await startUnworked();
    const found = Array.from({ length: 11 }, (_, n) => ({ id: `${id}_${n}`, object_id: `prod_${n}` }));
    const drift = { run_id: id, connection_id: 'default', kind: 'different', object_type: 'product' } as const;
    const told = { cause: 'no_event', action: 'repaired', fields: '[]', detected_at: new Date() } as const;
    await tollgate.database.db
      .insertInto('tollgate.drifts')
      .values(found.map((one) => ({ ...drift, ...told, ...one })))
      .execute();
    const lines: string[] = [];
    const log = createLog('error', { write: (line) => void lines.push(line) });
    tollgate.sandbox.control.failRequests({ method: 'GET', path: '/v1/products', times: 2, outcome: 500 });
    await expect(taskWith({}, log)({ runId: id }, { ...unhurried, attempt: 10 })).rejects.toThrow();
    expect(await runOf(id)).toMatchObject({ status: 'failed', alert: true });
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ alert: 'reconciliation_drift', run_id: id }]);
  });

  test('waits as long as Stripe asks for, and goes on', async () => {
    const id = await startUnworked();
    tollgate.sandbox.control.failRequests({ path: '/v1/customers', times: 4, outcome: 429, retryAfter: 0 });
    await taskWith({ retry: { maxAttempts: 7, baseMs: 1, capMs: 5 } })({ runId: id }, unhurried);
    expect((await runOf(id)).status).toBe('completed');
  });
});

describe('the scheduled reconciliation', () => {
  const schedule = () =>
    scheduleReconcileTask({ db: tollgate.database.db, clock: tollgate.clock, log: createLog('silent') })({}, unhurried);

  test('runs over everything, and is left out while the one before has not ended', async () => {
    await schedule();
    await schedule();
    await quiet(tollgate);
    const { body } = await tollgate.admin.get('/admin/reconciliations?limit=100');
    const scheduled = body.data.filter(({ trigger }: { trigger: string }) => trigger === 'schedule');
    expect(scheduled.length).toBeGreaterThanOrEqual(1);
    expect(scheduled[0]).toMatchObject({ status: 'completed', project_id: null, dry_run: false });
    const running = await startUnworked();
    await schedule();
    const { body: after } = await tollgate.admin.get('/admin/reconciliations?limit=100');
    expect(after.data.filter(({ trigger }: { trigger: string }) => trigger === 'schedule')).toHaveLength(
      scheduled.length,
    );
    await taskWith({})({ runId: running }, unhurried);
  });

  test('first gives another job to a run that gives no sign of life', async () => {
    const long_ago = new Date(tollgate.clock.now() - 5 * 60 * 60 * 1000);
    const id = await startUnworked({ status: 'running', started_at: long_ago, created_at: long_ago });
    await schedule();
    expect((await finished(tollgate, id)).status).toBe('completed');
  });

  test('leaves alone a look that a process left behind: it is no run of everything', async () => {
    const long_ago = new Date(tollgate.clock.now() - 5 * 60 * 60 * 1000);
    const left = await startUnworked({ trigger: 'continuous', status: 'running', created_at: long_ago });
    await schedule();
    await quiet(tollgate);
    expect(await runOf(left)).toMatchObject({ status: 'running', counts: { listed: 0 } });
  });
});
