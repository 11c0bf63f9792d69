import pg from 'pg';
import type { Connection } from './database.ts';

/**
 * Where migrations run as another role than the service: lets the service's role read and write the rows that it
 * works with, and no more. It owns nothing, so it can change neither the schema nor the past: audit entries and the
 * versions of facts and snapshots can be added and read.
 * @param owner - a pool of the role that migrated
 */
export async function grantToServiceRole(owner: pg.Pool, service: Connection): Promise<void> {
  const name = await roleOf(service);
  const { rows } = await owner.query<{ same: boolean }>('select current_user = $1 as same', [name]);
  if (rows[0]?.same) return;
  const role = pg.escapeIdentifier(name);
  await owner.query(`
    grant usage on schema tollgate, graphile_worker to ${role};
    grant select, insert, update, delete on all tables in schema tollgate, graphile_worker to ${role};
    grant usage, select on all sequences in schema tollgate, graphile_worker to ${role};
    grant execute on all functions in schema tollgate, graphile_worker to ${role};
    revoke update, delete, truncate
      on tollgate.audit_entries, tollgate.fact_versions, tollgate.snapshot_versions from ${role};
    revoke insert, update, delete on tollgate.migrations from ${role};
  `);
  // The queue's tables have row level security, which shows nothing to who is not their owner.
  const { rows: tables } = await owner.query<{ name: string }>(
    `select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'graphile_worker' and c.relkind = 'r' and c.relrowsecurity`,
  );
  for (const table of tables) {
    const target = `graphile_worker.${pg.escapeIdentifier(table.name)}`;
    await owner.query(`drop policy if exists tollgate_service on ${target};
      create policy tollgate_service on ${target} to ${role} using (true) with check (true)`);
  }
}

async function roleOf(connection: Connection): Promise<string> {
  const client = new pg.Client({ ...connection, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    const { rows } = await client.query<{ role: string }>('select current_user as role');
    const role = rows[0]?.role;
    if (role === undefined) throw new Error('PostgreSQL did not say who the service is.');
    return role;
  } finally {
    await client.end();
  }
}
