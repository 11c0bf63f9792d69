import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database, Tx } from '../platform/database.ts';
import type { Log } from '../platform/log.ts';
import { Overtaken } from '../platform/long-work.ts';
import { countsOf } from './progress.ts';
import type { RunRow } from './start-run.ts';
import { LeftBehind } from './through-connections.ts';

const SELF: AuditContext = { actor: 'reconciliation', keyId: null, requestId: null };

/** Only a run that has gone through every step gets here. */
export async function completeRun(
  { db, clock, log }: { db: Database; clock: Clock; log: Log },
  run: RunRow,
): Promise<void> {
  const now = clock.now();
  const { alert, counts } = await db.transaction().execute(async (tx) => {
    const ended = await tx
      .updateTable('tollgate.reconciliation_runs')
      .set({ status: 'completed', error: null, finished_at: new Date(now), heartbeat_at: new Date(now) })
      .where('id', '=', run.id)
      .where('status', '=', 'running')
      .returningAll()
      .executeTakeFirst();
    if (ended === undefined) throw new Overtaken(`The run ${run.id} was ended elsewhere.`);
    // Left by a stop between a repair and its note: the page was gone through again, and it no longer differed.
    await tx
      .updateTable('tollgate.drifts')
      .set({ action: 'repaired' })
      .where('run_id', '=', run.id)
      .where('action', '=', 'repairing')
      .execute();
    const drifts = await tx
      .selectFrom('tollgate.drifts')
      .select((of) => ['action', of.fn.countAll<number>().as('count')])
      .where('run_id', '=', run.id)
      .groupBy('action')
      .execute();
    const alert = await raiseAlarm(tx, ended);
    const detail = {
      run: run.id,
      alert,
      dry_run: run.dry_run,
      counts: { ...countsOf(ended), ...Object.fromEntries(drifts.map(({ action, count }) => [action, count])) },
    };
    const { project_id: projectId, customer_id: customerId } = run;
    const act = { action: 'reconciliation.completed', projectId, customerId, detail };
    await recordAudit(tx, { ...SELF, ...act }, now);
    return detail;
  });
  if (alert) sound(log, run, counts);
}

function sound(log: Log, run: RunRow, counts: object): void {
  log.error(
    { alert: 'reconciliation_drift', run_id: run.id, counts },
    'A reconciliation found more drift than happens by itself',
  );
}

/** More than this many drifts, and more than this share of what was compared, do not happen by themselves. */
const ALARMING = { drifts: 10, share: 0.001 };

/**
 * Marks a run in which more differed than happens by itself: webhooks are lost, say, or somebody has changed the
 * database. What nobody can attribute is no sign of that, and has a list of its own.
 */
async function raiseAlarm(tx: Tx, run: RunRow): Promise<boolean> {
  const { count } = await tx
    .selectFrom('tollgate.drifts')
    .select((of) => of.fn.countAll<number>().as('count'))
    .where('run_id', '=', run.id)
    .where('kind', '<>', 'unattributed')
    .executeTakeFirstOrThrow();
  const { listed, asked } = countsOf(run);
  if (count <= ALARMING.drifts || count <= ALARMING.share * (listed + asked)) return false;
  await tx.updateTable('tollgate.reconciliation_runs').set({ alert: true }).where('id', '=', run.id).execute();
  return true;
}

/** After the last attempt, or once only a person can help. What it repaired until then stays repaired. */
export async function failRun(
  { db, clock, log }: { db: Database; clock: Clock; log: Log },
  run: RunRow,
  reason: string,
  error: unknown,
): Promise<void> {
  const now = clock.now();
  const ended = await db.transaction().execute(async (tx) => {
    const ended = await tx
      .updateTable('tollgate.reconciliation_runs')
      .set({
        status: 'failed',
        error: reason,
        finished_at: new Date(now),
        heartbeat_at: new Date(now),
      })
      .where('id', '=', run.id)
      .where('status', '=', 'running')
      .returningAll()
      .executeTakeFirst();
    if (ended === undefined) return null;
    const alert = await raiseAlarm(tx, ended);
    const { project_id: projectId, customer_id: customerId } = run;
    const connections = error instanceof LeftBehind ? { connections: error.connectionIds } : {};
    const detail = { run: run.id, alert, ...connections };
    const act = { action: 'reconciliation.failed', projectId, customerId, detail };
    await recordAudit(tx, { ...SELF, ...act }, now);
    return { alert, counts: countsOf(ended) };
  });
  if (ended?.alert) sound(log, run, ended.counts);
}
