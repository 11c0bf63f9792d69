import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import { connectDatabase, type DatabaseHandle } from '../../src/platform/database.ts';
import { createLog } from '../../src/platform/log.ts';
import { toDatabase } from './url.ts';

export interface TestDatabase extends DatabaseHandle {
  url: string;
  /** Closes the connections and removes the database. */
  drop(): Promise<void>;
}

export interface TestDatabaseOptions {
  /** Without tables, for tests of the migrations themselves. */
  empty?: boolean;
  max?: number;
}

/** A database of the test's own, copied from the migrated template in some 30 ms. */
export async function createTestDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const name = `tollgate_test_${randomBytes(6).toString('hex')}`;
  const server = inject('databaseUrl');
  await onServer(
    server,
    `create database ${name} template ${options.empty ? 'template0' : inject('templateDatabase')}`,
  );
  const url = toDatabase(server, name);
  const handle = connectDatabase(
    { connectionString: url },
    { log: createLog(process.env.TEST_LOG_LEVEL ?? 'silent'), max: options.max ?? 5, name: 'test' },
  );
  return {
    ...handle,
    url,
    drop: async () => {
      await handle.close();
      await onServer(server, `drop database if exists ${name} with (force)`);
    },
  };
}

async function onServer(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}
