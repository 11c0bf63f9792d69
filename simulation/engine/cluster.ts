/** One PostgreSQL for a run of the simulation, and a migrated template in whose copies time is simulated. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connectDatabase } from '../../packages/server/src/platform/database.ts';
import { startEmbeddedPostgres } from '../../packages/server/src/platform/embedded-postgres.ts';
import { createLog } from '../../packages/server/src/platform/log.ts';
import { migrate } from '../../packages/server/src/platform/migrate.ts';
import { databaseUrl, query, TEMPLATE } from './databases.ts';

/** What the service and graphile ask for as the present moment is what the simulation says it is. */
const SIMULATED_TIME = `
  create schema simulation;
  create function simulation.now() returns timestamptz language sql stable
    as $$ select current_setting('simulation.now')::timestamptz $$;
  create function simulation.clock_timestamp() returns timestamptz language sql stable
    as $$ select current_setting('simulation.now')::timestamptz $$;`;

export interface Cluster {
  /** URL of the maintenance database. */
  url: string;
  stop(): Promise<void>;
}

export async function startCluster(): Promise<Cluster> {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'tollgate-simulation-'));
  const log = createLog('silent');
  const server = await startEmbeddedPostgres({
    dataDir,
    log,
    // What a power cut would do to these rows is of no interest; and nothing may happen by itself at real times.
    settings: {
      fsync: 'off',
      synchronous_commit: 'off',
      full_page_writes: 'off',
      autovacuum: 'off',
      jit: 'off',
      max_wal_size: '2GB',
      checkpoint_timeout: '1h',
    },
  });
  const { host, user } = server.connection;
  const url = `postgresql://${user}@localhost/postgres?host=${encodeURIComponent(host)}`;
  await query(url, `create database ${TEMPLATE}`);
  const handle = connectDatabase({ connectionString: databaseUrl(url, TEMPLATE) }, { log, max: 2 });
  await migrate(handle.pool, { log });
  await handle.pool.query(SIMULATED_TIME);
  await handle.close();
  const stop = async () => {
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
  // The server is a process of its own, which would outlive this one.
  const interrupted = () => void stop().then(() => process.exit(130));
  process.on('SIGINT', interrupted);
  process.on('SIGTERM', interrupted);
  return { url, stop };
}
