import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ensureCustomer } from '../../src/customers/ensure-customer.ts';
import { recomputeCustomer } from '../../src/entitlements/recompute.ts';
import { recomputeCustomersTask, requestRecomputation } from '../../src/entitlements/recompute-customers.ts';
import { loadFacts } from '../../src/facts/load-facts.ts';
import { saveFact } from '../../src/facts/save-fact.ts';
import { startJobs, type Task } from '../../src/platform/jobs.ts';
import { createLog } from '../../src/platform/log.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import {
  createTestProject,
  type EntitlementsService,
  startEntitlements,
  type TestProject,
} from '../support/entitlements-app.ts';
import { activeSubscription } from '../support/facts.ts';
import { until } from '../support/until.ts';

const PRO = { priceId: 'price_pro', productId: 'prod_pro' };

let database: TestDatabase;
let service: EntitlementsService;
let project: TestProject;

beforeEach(async () => {
  database = await createTestDatabase({ max: 12 });
  service = await startEntitlements(database.url);
  project = await createTestProject(service);
});
afterEach(async () => {
  await service.close();
  await database.drop();
});

/** As the mirror does it. @returns whether the fact said anything new */
async function know(
  customerId: string,
  { sequence = 1, fact = activeSubscription({ id: `sub_${customerId}` }, PRO) } = {},
): Promise<boolean> {
  const now = service.clock.now();
  const cause = { type: 'event', id: `evt_${sequence}` } as const;
  return await database.db.transaction().execute(async (tx) => {
    const { id } = await ensureCustomer(tx, { projectId: project.id, externalId: customerId, now });
    const changed = await saveFact(tx, {
      projectId: project.id,
      customerId: id,
      fact,
      sequence,
      cause,
      recordedAt: new Date(now),
    });
    if (changed) await recomputeCustomer(tx, { customerId: id, cause, now });
    return changed;
  });
}

/** Maps the product to a feature and asks for everyone to be recomputed, as the catalog does. */
async function map(code: string): Promise<string> {
  return await database.db.transaction().execute(async (tx) => {
    await tx
      .insertInto('tollgate.mappings')
      .values({ project_id: project.id, owner_type: 'product', owner_id: PRO.productId, code })
      .execute();
    await tx
      .updateTable('tollgate.projects')
      .set((set) => ({ catalog_version: set('catalog_version', '+', 1) }))
      .where('id', '=', project.id)
      .execute();
    return await requestRecomputation(tx, { projectId: project.id, cause: { type: 'catalog', id: `map_${code}` } });
  });
}

const progress = async (id: string) =>
  await database.db
    .selectFrom('tollgate.recomputations')
    .select(['status', 'total', 'done', 'changed', 'cursor'])
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
const run = (task: Task, id: string, signal = new AbortController().signal) =>
  task({ recomputation_id: id }, { attempt: 1, maxAttempts: 25, signal });
const entitled = async (customerId: string) => (await project.check(customerId, 'pro_export')).body.entitled;
const customers = (count: number) => Array.from({ length: count }, (_, i) => `u_${i}`);

describe('a fact', () => {
  test('that says the same again makes no version', async () => {
    const fact = activeSubscription({ id: 'sub_1' }, PRO);
    expect(await know('u_1', { sequence: 1, fact })).toBe(true);
    expect(await know('u_1', { sequence: 2, fact })).toBe(false);
    const versions = await database.db.selectFrom('tollgate.fact_versions').selectAll().execute();
    expect(versions).toHaveLength(1);
    expect(versions[0]).toMatchObject({ kind: 'subscription', object_id: 'sub_1', cause: { id: 'evt_1' } });
  });

  test('that was fetched before the current one is ignored, also after one that said the same', async () => {
    const first = activeSubscription({ id: 'sub_1' }, PRO);
    const old = { ...first, status: 'past_due' };
    await know('u_1', { sequence: 5, fact: first });
    await know('u_1', { sequence: 9, fact: first });
    expect(await know('u_1', { sequence: 7, fact: old })).toBe(false);
    expect(await know('u_1', { sequence: 9, fact: old })).toBe(false);
    const row = await database.db.selectFrom('tollgate.facts').select(['customer_id', 'sequence']).executeTakeFirst();
    expect(row?.sequence).toBe(9);
    expect(await loadFacts(database.db, row?.customer_id ?? '')).toEqual([first]);
  });

  test('that several bring at once is kept as the latest of them', async () => {
    const states = [3, 1, 4, 2, 5].map((sequence) => ({
      sequence,
      fact: activeSubscription({ id: 'sub_race', startedAt: 1_000_000 + sequence }, PRO),
    }));
    await Promise.all(states.map((state) => know('u_race', state)));
    const row = await database.db.selectFrom('tollgate.facts').selectAll().executeTakeFirstOrThrow();
    expect(row).toMatchObject({ sequence: 5, body: { startedAt: 1_000_005 } });
  });
});

describe('a recomputation of every customer', () => {
  test('reaches all of them in batches, tells of its progress, and names its cause', async () => {
    for (const id of customers(7)) await know(id);
    await database.db
      .transaction()
      .execute((tx) =>
        ensureCustomer(tx, { projectId: project.id, externalId: 'nothing_known', now: service.clock.now() }),
      );
    expect(await entitled('u_3')).toBe(false);
    const id = await map('pro_export');
    expect(id).toMatch(/^rec_/);
    expect(await progress(id)).toMatchObject({ status: 'queued', done: 0 });
    await run(recomputeCustomersTask({ db: database.db, clock: service.clock, batchSize: 3 }), id);
    expect(await progress(id)).toMatchObject({ status: 'completed', total: 7, done: 7, changed: 7 });
    for (const customer of customers(7)) await until(() => entitled(customer));
    const { body } = await project.app.get('/entitlements/history?customer_id=u_3');
    expect(body.data[0]).toMatchObject({
      version: 1,
      cause: { type: 'catalog', id: 'map_pro_export' },
      changes: [{ feature: 'pro_export', change: 'gained' }],
    });
  });

  test('that is repeated changes nobody', async () => {
    for (const id of customers(3)) await know(id);
    const task = recomputeCustomersTask({ db: database.db, clock: service.clock, batchSize: 2 });
    await run(task, await map('pro_export'));
    const again = await database.db
      .transaction()
      .execute((tx) => requestRecomputation(tx, { projectId: project.id, cause: { type: 'policy', id: 'aud_1' } }));
    await run(task, again);
    expect(await progress(again)).toMatchObject({ status: 'completed', done: 3, changed: 0 });
    await run(task, again);
    expect(await progress(again)).toMatchObject({ done: 3 });
    expect((await project.check('u_0', 'pro_export')).body.version).toBe(1);
  });

  test('that breaks off goes on after the last batch that was committed', async () => {
    for (const id of customers(5)) await know(id);
    const id = await map('pro_export');
    let reads = 0;
    const failing: typeof service.clock = {
      ...service.clock,
      now: () => {
        reads += 1;
        if (reads === 3) throw new Error('The process is gone');
        return service.clock.now();
      },
    };
    const broken = run(recomputeCustomersTask({ db: database.db, clock: failing, batchSize: 2 }), id);
    await expect(broken).rejects.toThrow('The process is gone');
    const left = await progress(id);
    expect(left).toMatchObject({ status: 'running', total: 5, done: 4, changed: 4 });
    await run(recomputeCustomersTask({ db: database.db, clock: service.clock, batchSize: 2 }), id);
    expect(await progress(id)).toMatchObject({ status: 'completed', total: 5, done: 5, changed: 5 });
    for (const customer of customers(5)) {
      await until(() => entitled(customer));
      expect((await project.check(customer, 'pro_export')).body.version).toBe(1);
    }
  });

  test('that the end of its process interrupts hands the rest to another job', async () => {
    for (const id of customers(4)) await know(id);
    const id = await map('pro_export');
    await run(recomputeCustomersTask({ db: database.db, clock: service.clock }), id, AbortSignal.abort());
    expect(await progress(id)).toMatchObject({ status: 'running', done: 0 });
    const idle: Task = async () => {};
    const jobs = await startJobs({
      pool: database.pool,
      tasks: {
        sync_object: idle,
        recompute_customers: recomputeCustomersTask({ db: database.db, clock: service.clock, batchSize: 2 }),
        wake_parked: idle,
        reconcile: idle,
        schedule_reconcile: idle,
        import: idle,
        reconcile_continuously: idle,
        catch_up_events: idle,
        housekeeping: idle,
      },
      cron: [],
      concurrency: 2,
      log: createLog('silent'),
      pollMs: 200,
    });
    try {
      await until(async () => (await progress(id)).status === 'completed');
      expect(await progress(id)).toMatchObject({ done: 4, changed: 4 });
    } finally {
      await jobs.stop();
    }
  });

  test('leaves the customers of other projects alone', async () => {
    const other = await createTestProject(service, 'other');
    await other.grant('theirs', 'pro_export');
    await know('ours');
    await run(recomputeCustomersTask({ db: database.db, clock: service.clock }), await map('pro_export'));
    expect((await other.check('theirs', 'pro_export')).body.version).toBe(1);
  });

  test('misses no one who is on the way while the rules change', async () => {
    const late = Promise.withResolvers<void>();
    const arrived = Promise.withResolvers<void>();
    const now = service.clock.now();
    const cause = { type: 'event', id: 'evt_late' } as const;
    const arriving = database.db.transaction().execute(async (tx) => {
      const { id: customerId } = await ensureCustomer(tx, { projectId: project.id, externalId: 'late', now });
      const fact = activeSubscription({ id: 'sub_late' }, PRO);
      await saveFact(tx, { projectId: project.id, customerId, fact, sequence: 1, cause, recordedAt: new Date(now) });
      await recomputeCustomer(tx, { customerId, cause, now });
      arrived.resolve();
      await late.promise;
    });
    await arrived.promise;
    const mapped = map('pro_export').then((id) =>
      run(recomputeCustomersTask({ db: database.db, clock: service.clock }), id),
    );
    // Nobody else can see the customer yet: a recomputation that were through by now would have missed them.
    await Promise.race([mapped, sleep(300)]);
    late.resolve();
    await Promise.all([arriving, mapped]);
    await until(() => entitled('late'));
  });

  test('and changes of its customers do not lose each other', async () => {
    for (const id of customers(10)) await know(id);
    const id = await map('pro_export');
    await Promise.all([
      run(recomputeCustomersTask({ db: database.db, clock: service.clock, batchSize: 3 }), id),
      ...customers(10).map((customer) => project.grant(customer, 'seats', { value: 2 })),
    ]);
    for (const customer of customers(10)) {
      await until(async () => {
        const { body } = await project.app.get(`/entitlements?customer_id=${customer}`);
        return Object.keys(body.entitlements).sort().join() === 'pro_export,seats';
      });
      // One version where the grant came after the mapping and so knew it already, else two; never one that got lost.
      const { data } = (await project.app.get(`/entitlements/history?customer_id=${customer}`)).body;
      const { version } = (await project.check(customer, 'seats')).body;
      expect(data.map((one: { version: number }) => one.version)).toEqual(version === 1 ? [1] : [2, 1]);
    }
  });
});

test('a job that names no recomputation fails, and one that names none there is does nothing', async () => {
  const task = recomputeCustomersTask({ db: database.db, clock: service.clock });
  const info = { attempt: 1, maxAttempts: 1, signal: new AbortController().signal };
  await expect(task({}, info)).rejects.toThrow('names no recomputation');
  await task({ recomputation_id: 'rec_none' }, info);
});
