import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import { withoutSecrets } from '../platform/log.ts';
import { countsOf, Overtaken } from './progress.ts';
import type { RunRow } from './start-run.ts';

const SELF: AuditContext = { actor: 'reconciliation', keyId: null, requestId: null };

/** Only a run that has gone through every step gets here. */
export async function completeRun({ db, clock }: { db: Database; clock: Clock }, run: RunRow): Promise<void> {
  const now = clock.now();
  await db.transaction().execute(async (tx) => {
    const ended = await tx
      .updateTable('tollgate.reconciliation_runs')
      .set({ status: 'completed', finished_at: new Date(now), heartbeat_at: new Date(now) })
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
    const detail = {
      run: run.id,
      dry_run: run.dry_run,
      counts: { ...countsOf(ended), ...Object.fromEntries(drifts.map(({ action, count }) => [action, count])) },
    };
    const { project_id: projectId, customer_id: customerId } = run;
    const act = { action: 'reconciliation.completed', projectId, customerId, detail };
    await recordAudit(tx, { ...SELF, ...act }, now);
  });
}

/** After the last attempt. What it repaired until then stays repaired. */
export async function failRun(
  { db, clock }: { db: Database; clock: Clock },
  run: RunRow,
  error: unknown,
): Promise<void> {
  const now = clock.now();
  await db.transaction().execute(async (tx) => {
    const ended = await tx
      .updateTable('tollgate.reconciliation_runs')
      .set({
        status: 'failed',
        error: withoutSecrets(error instanceof Error ? error.message : String(error)).slice(0, 500),
        finished_at: new Date(now),
        heartbeat_at: new Date(now),
      })
      .where('id', '=', run.id)
      .where('status', '=', 'running')
      .returning('id')
      .executeTakeFirst();
    if (ended === undefined) return;
    const { project_id: projectId, customer_id: customerId } = run;
    const act = { action: 'reconciliation.failed', projectId, customerId, detail: { run: run.id } };
    await recordAudit(tx, { ...SELF, ...act }, now);
  });
}
