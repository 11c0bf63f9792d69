import type { Selectable } from 'kysely';
import type { Queryable, Tx } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';
import { notify } from '../platform/notify.ts';
import type { Schema } from '../schema.ts';

export type ConnectionRow = Selectable<Schema['tollgate.connections']>;
export type SecretRow = Selectable<Schema['tollgate.connection_webhook_secrets']>;

/** Carries the id of a connection that has changed. */
export const CONNECTIONS_CHANNEL = 'tollgate_connections';

export interface StoredConnection {
  row: ConnectionRow;
  /** Newest first; those that have expired are left out. */
  secrets: SecretRow[];
}

/** Every connection that has a row, in order of their ids. */
export async function loadRows(db: Queryable, now: number): Promise<StoredConnection[]> {
  const rows = await db.selectFrom('tollgate.connections').selectAll().orderBy('id').execute();
  const secrets = await validSecrets(db, now).execute();
  return rows.map((row) => ({ row, secrets: secrets.filter((secret) => secret.connection_id === row.id) }));
}

/** @throws TollgateError `not_found` */
export async function loadConnection(db: Queryable, id: string, now: number): Promise<StoredConnection> {
  const row = await db.selectFrom('tollgate.connections').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw noSuchConnection();
  return { row, secrets: await validSecrets(db, now).where('connection_id', '=', id).execute() };
}

/**
 * Takes a connection's row until the transaction ends: projects that are to use it wait, and so do other changes of it.
 * @throws TollgateError `not_found`, also for one that is disabled
 */
export async function lockConnection(tx: Tx, id: string): Promise<ConnectionRow> {
  const row = await tx
    .selectFrom('tollgate.connections')
    .selectAll()
    .where('id', '=', id)
    .where('disabled_at', 'is', null)
    .forUpdate()
    .executeTakeFirst();
  if (row === undefined) throw noSuchConnection();
  return row;
}

/** Every process reads the connections again after the commit. */
export async function tellChanged(tx: Tx, id: string): Promise<void> {
  await notify(tx, CONNECTIONS_CHANNEL, id);
}

export function noSuchConnection(): TollgateError {
  return new TollgateError(
    'not_found',
    'There is no such connection. GET /api/v1/admin/connections lists those there are.',
  );
}

function validSecrets(db: Queryable, now: number) {
  return db
    .selectFrom('tollgate.connection_webhook_secrets')
    .selectAll()
    .where((where) => where.or([where('expires_at', 'is', null), where('expires_at', '>', new Date(now))]))
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc');
}
