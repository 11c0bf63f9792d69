import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connectDatabase } from '../../src/platform/database.ts';
import { createLog } from '../../src/platform/log.ts';
import { isMigrated, migrate } from '../../src/platform/migrate.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const SHIPPED = path.join(import.meta.dirname, '../../migrations');
const log = createLog('silent');

let database: TestDatabase;
let directory: string;

beforeEach(async () => {
  database = await createTestDatabase({ empty: true });
  directory = await mkdtemp(path.join(tmpdir(), 'tollgate-migrations-'));
});

afterEach(async () => {
  await database.drop();
  await rm(directory, { recursive: true, force: true });
});

async function applied(): Promise<string[]> {
  const { rows } = await database.pool.query<{ name: string }>('select name from tollgate.migrations order by id');
  return rows.map((row) => row.name);
}

describe('migrate', () => {
  test('applies every shipped file once, and the job queue of graphile-worker', async () => {
    await migrate(database.pool, { log });
    await migrate(database.pool, { log });
    expect(await applied()).toEqual((await readdir(SHIPPED)).filter((name) => name.endsWith('.sql')).sort());
    await expect(database.pool.query('select * from graphile_worker.jobs')).resolves.toMatchObject({ rowCount: 0 });
    expect(await isMigrated(database.pool)).toBe(true);
  });

  test('lets several processes start at once on an empty database', async () => {
    const others = [1, 2, 3].map(() => connectDatabase({ connectionString: database.url }, { log, max: 2 }));
    await Promise.all([database, ...others].map(({ pool }) => migrate(pool, { log })));
    await Promise.all(others.map((other) => other.close()));
    expect(await applied()).toEqual((await readdir(SHIPPED)).filter((name) => name.endsWith('.sql')).sort());
  });

  test('refuses a database that a newer version has migrated', async () => {
    await cp(SHIPPED, directory, { recursive: true });
    await writeFile(path.join(directory, '9000_from_the_future.sql'), 'create table tollgate.future (id integer)');
    await migrate(database.pool, { log, directory });
    await expect(migrate(database.pool, { log })).rejects.toThrow(/9000_from_the_future\.sql.*Run a newer version/);
  });

  test('refuses a file that was changed after it was applied', async () => {
    await writeFile(path.join(directory, '0001_one.sql'), 'create table tollgate.one (id integer)');
    await migrate(database.pool, { log, directory });
    await writeFile(path.join(directory, '0001_one.sql'), 'create table tollgate.one (id bigint)');
    await expect(migrate(database.pool, { log, directory })).rejects.toThrow(/0001_one\.sql was changed after/);
    expect(await isMigrated(database.pool, directory)).toBe(false);
  });

  test('refuses a file that comes before one already applied', async () => {
    await writeFile(path.join(directory, '0002_two.sql'), 'create table tollgate.two (id integer)');
    await migrate(database.pool, { log, directory });
    await writeFile(path.join(directory, '0001_late.sql'), 'create table tollgate.late (id integer)');
    await expect(migrate(database.pool, { log, directory })).rejects.toThrow(/0001_late\.sql.*higher number/);
  });

  test('undoes the whole of a file that fails, names it, and goes on from there when it is mended', async () => {
    await writeFile(path.join(directory, '0001_one.sql'), 'create table tollgate.one (id integer)');
    await writeFile(path.join(directory, '0002_two.sql'), 'create table tollgate.two (id integer); select 1 / 0');
    await expect(migrate(database.pool, { log, directory })).rejects.toThrow(/0002_two\.sql failed.*division by zero/);
    expect(await applied()).toEqual(['0001_one.sql']);
    expect(await isMigrated(database.pool, directory)).toBe(false);
    await writeFile(path.join(directory, '0002_two.sql'), 'create table tollgate.two (id integer)');
    await migrate(database.pool, { log, directory });
    expect(await applied()).toEqual(['0001_one.sql', '0002_two.sql']);
  });

  test('refuses a file without a number', async () => {
    await writeFile(path.join(directory, 'one.sql'), 'select 1');
    await expect(migrate(database.pool, { log, directory })).rejects.toThrow(/one\.sql must be named/);
  });

  test('a process that waited for another does nothing twice', async () => {
    await writeFile(path.join(directory, '0001_slow.sql'), 'select pg_sleep(0.3); create table tollgate.slow (id int)');
    await Promise.all([migrate(database.pool, { log, directory }), migrate(database.pool, { log, directory })]);
    expect(await applied()).toEqual(['0001_slow.sql']);
  });
});

describe('the migration to a ledger', () => {
  const FIRST = ['0001_foundation.sql', '0002_payments_by_subscription.sql'];

  test('fills in what is known of payments, and gives each policy its word on trials', async () => {
    for (const name of FIRST) await cp(path.join(SHIPPED, name), path.join(directory, name));
    await migrate(database.pool, { log, directory });
    const { pool } = database;
    await pool.query(`insert into tollgate.projects (id, name, slug, access_policy)
      values ('prj_1', 'One', 'one', '{"dispute": "keep"}')`);
    await pool.query(`insert into tollgate.customers (id, project_id, external_id) values ('cust_1', 'prj_1', 'ada')`);
    const body = {
      kind: 'purchase',
      id: 'pi_1',
      status: 'paid',
      currency: 'eur',
      amountMinor: 5000,
      paidAt: 1_793_491_200_000,
      lines: [{ priceId: 'price_1', productId: 'prod_1', quantity: 2 }],
    };
    await pool.query(
      `insert into tollgate.facts (project_id, customer_id, kind, object_id, body, recorded_at)
       values ('prj_1', 'cust_1', 'purchase', 'pi_1', $1, now())`,
      [JSON.stringify(body)],
    );
    await pool.query(`insert into tollgate.payments (connection_id, id, project_id, customer_id, subscription_id)
      values ('default', 'pi_1', 'prj_1', 'cust_1', null), ('default', 'pi_2', 'prj_1', 'cust_1', 'sub_1')`);

    const name = '0003_payments_ledger.sql';
    await cp(path.join(SHIPPED, name), path.join(directory, name));
    await migrate(pool, { log, directory });
    const payments = await pool.query('select id, status, currency, amount, paid_at, lines from tollgate.payments');
    expect(payments.rows).toEqual([
      {
        id: 'pi_1',
        status: 'paid',
        currency: 'eur',
        amount: 5000,
        paid_at: new Date('2026-11-01T00:00:00Z'),
        lines: [{ price: 'price_1', product: 'prod_1', quantity: 2 }],
      },
    ]);
    const projects = await pool.query('select access_policy from tollgate.projects');
    expect(projects.rows).toEqual([{ access_policy: { dispute: 'keep', trial: 'grant' } }]);
  });
});
