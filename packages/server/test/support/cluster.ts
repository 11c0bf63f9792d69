/** Vitest global setup: one PostgreSQL for the whole run, with a migrated template that every test database copies. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { connectDatabase } from '../../src/platform/database.ts';
import { startEmbeddedPostgres } from '../../src/platform/embedded-postgres.ts';
import { createLog } from '../../src/platform/log.ts';
import { migrate } from '../../src/platform/migrate.ts';
import { toDatabase } from './url.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** URL of the maintenance database. */
    databaseUrl: string;
    templateDatabase: string;
  }
}

const log = createLog(process.env.TEST_LOG_LEVEL ?? 'silent');

/** `TEST_DATABASE_URL` (a role that may create databases), or the embedded binaries in a directory of their own. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startServer();
  const template = `tollgate_template_${process.pid}_${Date.now()}`;
  await query(server.url, `create database ${template}`);
  const handle = connectDatabase({ connectionString: toDatabase(server.url, template) }, { log, max: 2 });
  await migrate(handle.pool, { log });
  await handle.close();
  project.provide('databaseUrl', server.url);
  project.provide('templateDatabase', template);
  return async () => {
    await query(server.url, `drop database ${template} with (force)`);
    await server.stop();
  };
}

async function startServer(): Promise<{ url: string; stop(): Promise<void> }> {
  const given = process.env.TEST_DATABASE_URL;
  if (given) {
    return { url: given, stop: async () => {} };
  }
  const dataDir = await mkdtemp(path.join(tmpdir(), 'tollgate-test-'));
  const server = await startEmbeddedPostgres({
    dataDir,
    log,
    // What a power cut would do to these rows is of no interest.
    settings: { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '400' },
  });
  const { host, user } = server.connection;
  return {
    url: `postgresql://${user}@localhost/postgres?host=${encodeURIComponent(host)}`,
    stop: async () => {
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function query(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}
