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
