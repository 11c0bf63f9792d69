import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { Logger, runMigrations } from 'graphile-worker';
import type pg from 'pg';
import type { Log } from './log.ts';

/** Any number that nobody else uses as an advisory lock: "tollgate" in ASCII, cut to 63 bits. */
const LOCK = '8389754676633367653';
const DIRECTORY = path.join(import.meta.dirname, '../../migrations');

interface Migration {
  id: number;
  name: string;
  sql: string;
  checksum: string;
}

export interface MigrateOptions {
  log: Log;
  /** Where the SQL files are; for tests. */
  directory?: string;
}

export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

/**
 * Brings the schema up to date: the files of `migrations/` in order, each in a transaction of its own, then the job
 * queue's own schema. Several processes may do this at once: one works, the others wait.
 *
 * @throws MigrationError when the database is newer than this program, or an applied file was changed since.
 */
export async function migrate(pool: pg.Pool, { log, directory = DIRECTORY }: MigrateOptions): Promise<void> {
  const migrations = await readMigrations(directory);
  const client = await pool.connect();
  try {
    await client.query('select pg_advisory_lock($1::bigint)', [LOCK]);
    try {
      await createLedger(client);
      const applied = await readLedger(client);
      check(migrations, applied);
      for (const migration of migrations.filter(({ id }) => !applied.has(id))) {
        await apply(client, migration);
        log.info({ migration: migration.name }, 'Applied a migration');
      }
      await runMigrations({ pgPool: pool, logger: new Logger(() => () => {}) });
    } finally {
      await client.query('select pg_advisory_unlock($1::bigint)', [LOCK]).catch(() => {});
    }
  } finally {
    client.release();
  }
}

/**
 * Whether every migration that this program knows has been applied as it is. A newer schema passes: while a new version
 * rolls out, the old processes go on serving until they are replaced.
 */
export async function isMigrated(pool: pg.Pool, directory = DIRECTORY): Promise<boolean> {
  const migrations = await readMigrations(directory);
  const { rows } = await pool.query<{ id: number; checksum: string }>('select id, checksum from tollgate.migrations');
  const applied = new Map(rows.map((row) => [row.id, row.checksum]));
  return migrations.every(({ id, checksum }) => applied.get(id) === checksum);
}

async function readMigrations(directory: string): Promise<Migration[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort();
  return Promise.all(
    names.map(async (name) => {
      const id = Number(/^(\d{4})_/.exec(name)?.[1]);
      if (!Number.isInteger(id)) {
        throw new MigrationError(`Migration ${name} must be named NNNN_what_it_does.sql.`);
      }
      const sql = await readFile(path.join(directory, name), 'utf8');
      return { id, name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}

async function createLedger(client: pg.PoolClient): Promise<void> {
  // `create … if not exists` asks for the right to create even when there is nothing to do.
  const { rows } = await client.query<{ ledger: string | null }>(
    "select to_regclass('tollgate.migrations')::text as ledger",
  );
  if (rows[0]?.ledger) {
    return;
  }
  await client.query(`
    create schema if not exists tollgate;
    create table tollgate.migrations (
      id integer primary key,
      name text not null,
      checksum text not null,
      applied_at timestamptz not null default now()
    )`);
}

async function readLedger(client: pg.PoolClient): Promise<Map<number, { name: string; checksum: string }>> {
  const { rows } = await client.query<{ id: number; name: string; checksum: string }>(
    'select id, name, checksum from tollgate.migrations order by id',
  );
  return new Map(rows.map(({ id, name, checksum }) => [id, { name, checksum }]));
}

function check(known: Migration[], applied: Map<number, { name: string; checksum: string }>): void {
  const byId = new Map(known.map((migration) => [migration.id, migration]));
  const problems = [...applied].flatMap(([id, { name, checksum }]) => {
    const migration = byId.get(id);
    if (!migration) {
      return [`The database has migration ${name}, which this version of Tollgate does not know. Run a newer version.`];
    }
    return migration.checksum === checksum
      ? []
      : [`${migration.name} was changed after it was applied. Restore it, and put the change into a new migration.`];
  });
  const newest = Math.max(0, ...applied.keys());
  for (const { id, name } of known) {
    if (!applied.has(id) && id < newest) {
      problems.push(`${name} comes before migrations that were already applied. Give it a higher number.`);
    }
  }
  if (problems.length > 0) {
    throw new MigrationError(problems.join('\n'));
  }
}

async function apply(client: pg.PoolClient, { id, name, sql, checksum }: Migration): Promise<void> {
  await client.query('begin');
  try {
    await client.query(sql);
    await client.query('insert into tollgate.migrations (id, name, checksum) values ($1, $2, $3)', [
      id,
      name,
      checksum,
    ]);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback').catch(() => {});
    throw new MigrationError(`Migration ${name} failed and was undone: ${(error as Error).message}`, { cause: error });
  }
}
