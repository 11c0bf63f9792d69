import { EVENT_TYPES } from '../../src/inbox/event-types.ts';
import type { Tollgate } from './tollgate.ts';

/** What an endpoint in Stripe takes. */
export const eventTypes = Object.keys(EVENT_TYPES);

export interface DriftOfRun {
  kind: string;
  object_type: string;
  object_id: string;
  project_id: string | null;
  customer_id: string | null;
  cause: string;
  action: string;
  detail: string | null;
  arose_at: string | null;
  lasted_seconds: number | null;
  fields: { field: string; before: unknown; after: unknown }[];
}

export interface FinishedRun {
  id: string;
  status: string;
  alert: boolean;
  counts: Record<string, number>;
  drifts: DriftOfRun[];
  progress: { step: string | null; steps_done: number; steps_total: number };
  error: string | null;
}

/** Starts a reconciliation over HTTP and waits for its end. */
export async function reconcile(tollgate: Tollgate, body: object = {}): Promise<FinishedRun> {
  const started = await tollgate.admin.post('/admin/reconcile', body);
  if (started.status !== 202) throw new Error(`The reconciliation did not start: ${JSON.stringify(started.body)}`);
  return await finished(tollgate, started.body.id);
}

/** Waits for the end of a reconciliation that was started. */
export async function finished(tollgate: Tollgate, id: string): Promise<FinishedRun> {
  const read = async () => (await tollgate.admin.get(`/admin/reconciliations/${id}?limit=1000`)).body;
  await tollgate.until(
    async () => ['completed', 'failed'].includes((await read()).status),
    240_000,
    `the run ${id} ends`,
  );
  return await read();
}

/** The drifts about one object. */
export function about(run: FinishedRun, objectId: string): DriftOfRun[] {
  return run.drifts.filter((drift) => drift.object_id === objectId);
}

/** Waits until no job is left: what was just made is looked at once more by itself. */
export async function quiet({ database, until }: Tollgate, patienceMs = 60_000): Promise<void> {
  await until(
    async () => (await database.pool.query('select from graphile_worker.jobs')).rows.length === 0,
    patienceMs,
    'no job is left',
  );
}
