import { sql } from 'kysely';
import type { Database } from '../platform/database.ts';
import type { Look } from './kind.ts';
import type { RunRow } from './start-run.ts';

/** Stripe's clock and this one differ, and what is made just now may not be in a list yet. */
const MARGIN_MS = 24 * 3_600_000;

/**
 * Epoch milliseconds: every invoice that was made before then has been compared, or is remembered as owed. Null: nothing
 * has been compared yet, so that everything has to be.
 */
export async function comparedUntil({ db, connection }: Look): Promise<number | null> {
  const row = await db
    .selectFrom('tollgate.invoices_compared')
    .select('until')
    .where('connection_id', '=', connection.id)
    .executeTakeFirst();
  return row === undefined ? null : row.until.getTime() - MARGIN_MS;
}

/** Writes down that a run has gone through every list of a connection's invoices, and has asked for what was in none. */
export async function noteCompared(db: Database, run: RunRow, connectionId: string): Promise<void> {
  // A dry run leaves what it finds, and one of a project does not look at the others.
  if (run.dry_run || run.project_id !== null || run.started_at === null) return;
  await db
    .insertInto('tollgate.invoices_compared')
    .values({ connection_id: connectionId, until: run.started_at })
    .onConflict((conflict) =>
      conflict
        .column('connection_id')
        .doUpdateSet({ until: sql<Date>`greatest(excluded.until, invoices_compared.until)` }),
    )
    .execute();
}
