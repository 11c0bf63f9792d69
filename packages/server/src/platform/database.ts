import { Kysely, PostgresDialect, type Transaction } from 'kysely';
import pg from 'pg';
import type { Schema } from '../schema.ts';
import type { Log } from './log.ts';

/** The database, or a transaction on it: use cases that only read or write rows take this. */
export type Queryable = Kysely<Schema>;
export type Database = Kysely<Schema>;
export type Tx = Transaction<Schema>;

/** Where a database is: a URL, or a unix socket's directory. */
export type Connection = { connectionString: string } | { host: string; user: string; database: string };

export interface DatabaseHandle {
  db: Database;
  /** The same connections without the query builder: for migrations, jobs and statistics. */
  pool: pg.Pool;
  /** Waits for the queries under way, then closes every connection. Can be called again. */
  close(): Promise<void>;
}

export interface ConnectOptions {
  /** How many connections there may be. */
  max?: number;
  /** Shown in `pg_stat_activity`. */
  name?: string;
  log: Log;
}

const INT8 = 20;

/**
 * bigint comes back as a number: every one of ours (versions, sequences, minor units, counts) stays below 2^53. Set
 * for the given connection only, since another library in the process may rely on pg's default.
 */
export const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === INT8 ? Number : pg.types.getTypeParser(oid, format ?? 'text')) as typeof pg.types.getTypeParser,
};

/** Opens a pool; connects only when the first query comes. */
export function connectDatabase(connection: Connection, options: ConnectOptions): DatabaseHandle {
  const pool = new pg.Pool({
    ...connection,
    max: options.max ?? 10,
    types,
    application_name: options.name ?? 'tollgate',
    connectionTimeoutMillis: 10_000,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    // A transaction that its process forgot must not hold its locks for ever.
    idle_in_transaction_session_timeout: 60_000,
  });
  // Without handlers, a connection that PostgreSQL closes (restart, failover) would end the process.
  const onError = (error: Error) => options.log.warn({ err: error }, 'A database connection broke; a new one is made');
  pool.on('error', onError);
  pool.on('connect', (client) => client.on('error', onError));
  const db = new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) });
  let closing: Promise<void> | undefined;
  return {
    db,
    pool,
    close: () => {
      closing ??= db.destroy().then(() => (pool.ended ? undefined : pool.end()));
      return closing;
    },
  };
}
