import type pg from 'pg';
import { Gauge, type Registry } from 'prom-client';

/** What the last reconciliation of everything came to, read from the database: the same in every process. */
export function reconciliationGauges(registry: Registry): { reset(): void; read(database: pg.Pool): Promise<void> } {
  const registers = [registry];
  const age = new Gauge({
    name: 'tollgate_reconciliation_last_completed_seconds',
    help: 'How long ago the last reconciliation of everything that was no dry run was completed; missing before the first.',
    registers,
  });
  const duration = new Gauge({
    name: 'tollgate_reconciliation_last_duration_seconds',
    help: 'How long it took.',
    registers,
  });
  const alert = new Gauge({
    name: 'tollgate_reconciliation_alert',
    help: '1 when more differed in it than happens by itself.',
    registers,
  });
  const drifts = new Gauge({
    name: 'tollgate_reconciliation_drifts',
    help: 'Drifts of the last day, of all runs, by kind, cause and action.',
    labelNames: ['kind', 'cause', 'action'],
    registers,
  });
  const undelivered = new Gauge({
    name: 'tollgate_events_undelivered',
    help: "Events of the last 30 days that never came as webhooks and were found in Stripe's list.",
    registers,
  });
  const gauges = [age, duration, alert, drifts, undelivered];
  return {
    reset: () => {
      for (const gauge of gauges) gauge.reset();
    },
    read: async (database) => {
      const [last, found, lost] = await Promise.all([
        database.query<{ age: number; duration: number; alert: boolean }>(LAST),
        database.query<{ kind: string; cause: string; action: string; count: number }>(DRIFTS),
        database.query<{ count: number }>(UNDELIVERED),
      ]);
      const [run] = last.rows;
      if (run !== undefined) {
        age.set(run.age);
        duration.set(run.duration);
        alert.set(run.alert ? 1 : 0);
      } else age.remove();
      for (const { kind, cause, action, count } of found.rows) drifts.set({ kind, cause, action }, count);
      undelivered.set(lost.rows[0]?.count ?? 0);
    },
  };
}

const LAST = `
  select extract(epoch from now() - finished_at)::float8 as age,
         extract(epoch from finished_at - started_at)::float8 as duration, alert
    from tollgate.reconciliation_runs
   where status = 'completed' and project_id is null and trigger <> 'continuous' and not dry_run
   order by id desc limit 1`;

const DRIFTS = `
  select kind, cause, action, count(*)::int as count from tollgate.drifts
   where detected_at > now() - interval '1 day' group by 1, 2, 3`;

const UNDELIVERED = `
  select count(*)::int as count from tollgate.events
   where source = 'listed' and received_at > now() - interval '30 days'`;
