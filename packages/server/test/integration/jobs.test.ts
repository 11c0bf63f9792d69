import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { enqueue, type Jobs, startJobs, type Task, type TaskName } from '../../src/platform/jobs.ts';
import { createLog } from '../../src/platform/log.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';

const log = createLog('silent');

let database: TestDatabase;
let running: Jobs[];

beforeEach(async () => {
  database = await createTestDatabase({ max: 12 });
  running = [];
});

afterEach(async () => {
  for (const jobs of running) {
    await jobs.stop();
  }
  await database.drop();
});

/** Workers whose tasks do nothing but what the test says. */
async function work(tasks: Partial<Record<TaskName, Task>>, options: Partial<Parameters<typeof startJobs>[0]> = {}) {
  const idle: Task = async () => {};
  const jobs = await startJobs({
    pool: database.pool,
    tasks: {
      sync_object: idle,
      recompute_customers: idle,
      wake_parked: idle,
      reconcile: idle,
      schedule_reconcile: idle,
      import: idle,
      reconcile_continuously: idle,
      catch_up_events: idle,
      housekeeping: idle,
      ...tasks,
    },
    cron: [],
    concurrency: 3,
    log,
    pollMs: 200,
    ...options,
  });
  running.push(jobs);
  return jobs;
}

async function queued(): Promise<number> {
  const { rows } = await database.pool.query<{ count: number }>('select count(*) from graphile_worker._private_jobs');
  return rows[0]?.count ?? -1;
}

describe('a job', () => {
  test('is worked on once its transaction has committed, with its payload', async () => {
    const done: unknown[] = [];
    await work({
      sync_object: async (payload, info) => {
        done.push(payload, info.attempt, info.maxAttempts);
      },
    });
    await database.db.transaction().execute((tx) => enqueue(tx, 'sync_object', { id: 'sub_1' }));
    await until(() => done.length === 3);
    expect(done).toEqual([{ id: 'sub_1' }, 1, 25]);
    await until(async () => (await queued()) === 0);
  });

  test('never existed when its transaction rolls back', async () => {
    const undone = database.db.transaction().execute(async (tx) => {
      await enqueue(tx, 'sync_object', { id: 'sub_1' });
      throw new Error('no');
    });
    await expect(undone).rejects.toThrow('no');
    expect(await queued()).toBe(0);
  });

  test('with the key of a waiting one replaces it', async () => {
    const runAt = new Date(Date.now() + 3_600_000);
    await enqueue(database.db, 'sync_object', { n: 1 }, { jobKey: 'sub_1', runAt });
    await enqueue(database.db, 'sync_object', { n: 2 }, { jobKey: 'sub_1' });
    expect(await queued()).toBe(1);
    const done: unknown[] = [];
    await work({
      sync_object: async (payload) => {
        done.push(payload);
      },
    });
    await until(() => done.length === 1);
    expect(done).toEqual([{ n: 2 }]);
  });

  test('is added beside the one with its key that a worker takes at that very moment', async () => {
    await enqueue(database.db, 'sync_object', { n: 1 }, { jobKey: 'sub_1' });
    const worker = await database.pool.connect();
    await worker.query('begin');
    await worker.query("update graphile_worker._private_jobs set locked_at = now(), locked_by = 'worker'");
    const added = enqueue(database.db, 'sync_object', { n: 2 }, { jobKey: 'sub_1' });
    await until(async () => {
      const { rows } = await database.pool.query(
        "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
      );
      return rows.length === 1;
    });
    await worker.query('commit');
    worker.release();
    await added;
    const { rows } = await database.pool.query<{ n: number; taken: boolean }>(
      "select (payload ->> 'n')::int as n, locked_at is not null as taken from graphile_worker._private_jobs order by id",
    );
    expect(rows).toEqual([
      { n: 1, taken: true },
      { n: 2, taken: false },
    ]);
  });

  test('of one queue waits for the one before it', async () => {
    const order: string[] = [];
    await work({
      sync_object: async (payload) => {
        order.push(`start ${JSON.stringify(payload)}`);
        await new Promise((resolve) => setTimeout(resolve, 30));
        order.push(`end ${JSON.stringify(payload)}`);
      },
    });
    for (const n of [1, 2, 3]) {
      await enqueue(database.db, 'sync_object', { n }, { queueName: 'one' });
    }
    await until(() => order.length === 6);
    expect(order.map((entry) => entry.split(' ')[0])).toEqual(['start', 'end', 'start', 'end', 'start', 'end']);
  });

  test('that fails is tried again, later each time, and given up after its last attempt', async () => {
    const attempts: number[] = [];
    const outcomes: string[] = [];
    await work(
      {
        reconcile: async (_payload, { attempt }) => {
          attempts.push(attempt);
          throw new Error('Stripe is away');
        },
      },
      { onFinish: (_task, outcome) => outcomes.push(outcome) },
    );
    await enqueue(database.db, 'reconcile', {}, { maxAttempts: 2 });
    // The outcome is told before it is recorded.
    await until(async () => {
      const { rows } = await database.pool.query<{ waits: boolean }>(
        "select run_at > now() + interval '1 second' as waits from graphile_worker._private_jobs where locked_at is null and attempts = 1",
      );
      return outcomes.includes('failed') && rows[0]?.waits === true;
    });
    await until(() => outcomes.includes('gave_up'), 15_000);
    expect(attempts).toEqual([1, 2]);
    expect(outcomes).toEqual(['failed', 'gave_up']);
  });

  test('that fails when another with its key has been added leaves the work to that one, and nothing behind', async () => {
    const key = { jobKey: 'sync:x' };
    const done: unknown[] = [];
    await work({
      sync_object: async (payload) => {
        if ((payload as { n: number }).n === 1) {
          await enqueue(database.db, 'sync_object', { n: 2 }, key);
          throw new Error('deadlock detected');
        }
        done.push(payload);
      },
    });
    await enqueue(database.db, 'sync_object', { n: 1 }, key);
    await until(async () => done.length === 1 && (await queued()) === 0, 5_000, 'no job is left');
    expect(done).toEqual([{ n: 2 }]);
  });

  test('under way when the workers stop is finished first', async () => {
    let finished = false;
    let started = false;
    const jobs = await work({
      reconcile: async () => {
        started = true;
        await new Promise((resolve) => setTimeout(resolve, 300));
        finished = true;
      },
    });
    await enqueue(database.db, 'reconcile', {});
    await until(() => started);
    await jobs.stop();
    expect(finished).toBe(true);
    expect(jobs.running()).toBe(false);
    expect(await queued()).toBe(0);
  });
});

describe('several workers', () => {
  test('share the jobs without doing one twice', async () => {
    const done: number[] = [];
    const task: Task = async (payload) => {
      done.push((payload as { n: number }).n);
    };
    await work({ sync_object: task });
    await work({ sync_object: task });
    await database.db.transaction().execute(async (tx) => {
      for (let n = 0; n < 60; n++) {
        await enqueue(tx, 'sync_object', { n });
      }
    });
    await until(async () => (await queued()) === 0);
    expect(done.sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, n) => n));
  });

  test('take over at once what a killed process was working on', async () => {
    const file = (name: string) => JSON.stringify(path.resolve(import.meta.dirname, '../../src/platform', name));
    const program = `
      import { connectDatabase } from ${file('database.ts')};
      import { startJobs } from ${file('jobs.ts')};
      import { createLog } from ${file('log.ts')};
      const log = createLog('silent');
      const hang = () => { process.stdout.write('working'); return new Promise(() => {}); };
      const { pool } = connectDatabase({ connectionString: ${JSON.stringify(database.url)} }, { log });
      const names = ['sync_object','recompute_customers','wake_parked','reconcile','schedule_reconcile','import','reconcile_continuously','catch_up_events','housekeeping'];
      await startJobs({ pool, tasks: Object.fromEntries(names.map((name) => [name, hang])), cron: [], concurrency: 2, log, pollMs: 200 });`;
    await enqueue(database.db, 'sync_object', { id: 'evt_1' }, { queueName: 'one' });
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => {
      child.kill('SIGKILL');
    });
    await once(child.stdout, 'data');
    const done: unknown[] = [];
    await work({
      sync_object: async (payload) => {
        done.push(payload);
      },
    });
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(done).toEqual([]);
    child.kill('SIGKILL');
    await until(() => done.length === 1, 10_000);
    expect(done).toEqual([{ id: 'evt_1' }]);
  });

  test('go on after the database closed their connections', async () => {
    const done: unknown[] = [];
    await work({
      sync_object: async (payload) => {
        done.push(payload);
      },
    });
    await database.pool.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
    );
    await until(() =>
      enqueue(database.db, 'sync_object', { n: 1 }).then(
        () => true,
        () => false,
      ),
    );
    await until(() => done.length > 0, 15_000);
  });

  test('go on after the database broke off the very first thing that they asked', async () => {
    const done: unknown[] = [];
    const gate = await database.pool.connect();
    await gate.query('begin');
    await gate.query('lock table graphile_worker._private_tasks');
    await work({
      sync_object: async (payload) => {
        done.push(payload);
      },
    });
    await until(async () => {
      const { rowCount } = await database.pool.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
      );
      return rowCount === 1;
    });
    await gate.query('rollback');
    gate.release();
    await enqueue(database.db, 'sync_object', { n: 1 });
    await until(() => done.length > 0);
  });

  test('do, as its first try, a job that they claimed without hearing of it, and none twice', async () => {
    const begun: unknown[] = [];
    const gate = Promise.withResolvers<void>();
    await work({
      sync_object: async (payload, { attempt, signal }) => {
        begun.push([payload, attempt]);
        if (begun.length === 1) await Promise.race([gate.promise, once(signal, 'abort')]);
      },
    });
    await enqueue(database.db, 'sync_object', { n: 1 });
    await until(() => begun.length === 1);
    await database.db.transaction().execute(async (tx) => {
      await enqueue(tx, 'sync_object', { n: 2 }, { queueName: 'one' });
      // What the connection that breaks between a claim's commit and its answer leaves behind.
      await sql`update graphile_worker._private_jobs set locked_at = now(), attempts = 1, locked_by = (
        select locked_by from graphile_worker._private_jobs where locked_by is not null) where locked_by is null`.execute(
        tx,
      );
      await sql`update graphile_worker._private_job_queues set locked_at = now(), locked_by = (
        select distinct locked_by from graphile_worker._private_jobs)`.execute(tx);
    });
    await enqueue(database.db, 'sync_object', { n: 3 }, { queueName: 'one' });
    await until(() => begun.length === 3);
    gate.resolve();
    await until(async () => (await queued()) === 0);
    expect(begun).toEqual([
      [{ n: 1 }, 1],
      [{ n: 2 }, 1],
      [{ n: 3 }, 1],
    ]);
  });
});

test('a schedule adds its job, once for all processes', async () => {
  await work({}, { cron: [{ task: 'housekeeping', schedule: '* * * * *' }] });
  await until(async () => {
    const { rows } = await database.pool.query('select identifier from graphile_worker._private_known_crontabs');
    return rows.length === 1;
  });
});
