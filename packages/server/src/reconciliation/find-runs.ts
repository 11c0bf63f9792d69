import type { Selectable } from 'kysely';
import type { Database } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';
import { DEFAULT_LIMIT, decodeCursor, type Page, page } from '../platform/http/pages.ts';
import type { Schema } from '../schema.ts';
import type { RunRow } from './start-run.ts';

/** A run with the app's own id of its customer, and how many of its drifts had which end. */
export type RunWithDrifts = RunRow & { external_id: string | null; actions: Readonly<Record<string, number>> };

export type DriftRow = Selectable<Schema['tollgate.drifts']> & { external_id: string | null };

/** Drifts of one kind, cause or action. */
export interface DriftFilter {
  kind?: string | undefined;
  cause?: string | undefined;
  action?: string | undefined;
}

export interface RunFilter {
  projectId?: string | undefined;
  status?: RunRow['status'] | undefined;
  trigger?: RunRow['trigger'] | undefined;
  /** Only runs that have a drift like this. */
  drifts?: DriftFilter;
  limit?: number | undefined;
  cursor?: string | undefined;
}

/** Runs, newest first. */
export async function listRuns(db: Database, filter: RunFilter): Promise<Page<RunWithDrifts>> {
  const limit = filter.limit ?? DEFAULT_LIMIT;
  let query = runs(db)
    .orderBy('run.id', 'desc')
    .limit(limit + 1);
  if (filter.projectId !== undefined) query = query.where('run.project_id', '=', filter.projectId);
  if (filter.status !== undefined) query = query.where('run.status', '=', filter.status);
  if (filter.trigger !== undefined) query = query.where('run.trigger', '=', filter.trigger);
  const like = conditions(filter.drifts);
  if (like.length > 0) {
    query = query.where((of) =>
      of.exists(
        of
          .selectFrom('tollgate.drifts as drift')
          .select('drift.id')
          .whereRef('drift.run_id', '=', 'run.id')
          .where((drift) => drift.and(like.map(([column, value]) => drift(column, '=', value)))),
      ),
    );
  }
  if (filter.cursor !== undefined) query = query.where('run.id', '<', decodeCursor(filter.cursor));
  const found = page(await query.execute(), limit, (run) => run.id);
  return { ...found, data: await withActions(db, found.data) };
}

/** @throws TollgateError `not_found` */
export async function getRun(db: Database, id: string): Promise<RunWithDrifts> {
  const [run] = await withActions(db, await runs(db).where('run.id', '=', id).execute());
  if (run === undefined) {
    throw new TollgateError(
      'not_found',
      'There is no such reconciliation. GET /api/v1/admin/reconciliations lists those of the last year.',
    );
  }
  return run;
}

/** A run's drifts in the order in which they were found. */
export async function listDrifts(
  db: Database,
  runId: string,
  { limit = DEFAULT_LIMIT, cursor, ...like }: DriftFilter & { limit?: number | undefined; cursor?: string | undefined },
): Promise<Page<DriftRow>> {
  let query = db
    .selectFrom('tollgate.drifts as drift')
    .leftJoin('tollgate.customers as customer', 'customer.id', 'drift.customer_id')
    .selectAll('drift')
    .select('customer.external_id')
    .where('drift.run_id', '=', runId)
    .where((of) => of.and(conditions(like).map(([column, value]) => of(column, '=', value))))
    .orderBy('drift.id')
    .limit(limit + 1);
  if (cursor !== undefined) query = query.where('drift.id', '>', decodeCursor(cursor));
  return page(await query.execute(), limit, (drift) => drift.id);
}

function conditions({ kind, cause, action }: DriftFilter = {}) {
  const all = [
    ['drift.kind', kind],
    ['drift.cause', cause],
    ['drift.action', action],
  ] as const;
  return all.flatMap(([column, value]) => (value === undefined ? [] : [[column, value] as const]));
}

function runs(db: Database) {
  return db
    .selectFrom('tollgate.reconciliation_runs as run')
    .leftJoin('tollgate.customers as customer', 'customer.id', 'run.customer_id')
    .selectAll('run')
    .select('customer.external_id');
}

async function withActions<R extends { id: string }>(db: Database, found: readonly R[]) {
  if (found.length === 0) return [];
  const rows = await db
    .selectFrom('tollgate.drifts')
    .select((of) => ['run_id', 'action', of.fn.countAll<number>().as('count')])
    .where(
      'run_id',
      'in',
      found.map(({ id }) => id),
    )
    .groupBy(['run_id', 'action'])
    .execute();
  return found.map((run) => ({
    ...run,
    actions: Object.fromEntries(
      rows.filter(({ run_id }) => run_id === run.id).map(({ action, count }) => [action, count]),
    ),
  }));
}
