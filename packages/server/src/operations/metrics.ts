import type pg from 'pg';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Answered } from '../platform/http/access-log.ts';
import { within } from '../platform/within.ts';
import { reconciliationGauges } from './reconciliation-metrics.ts';

/** What the cache of snapshots has counted since the start. */
export interface CacheCounts {
  hits: number;
  misses: number;
  entries: number;
  bytes: number;
}

export interface MetricsSources {
  /** By name: `http`, `jobs`. */
  pools: Readonly<Record<string, pg.Pool>>;
  cache: () => CacheCounts;
}

export interface Metrics {
  onAnswered(answered: Answered): void;
  onJobFinished(task: string, outcome: 'ok' | 'failed' | 'gave_up', seconds: number): void;
  /** Prometheus' text format; what has to be asked of the database is left out when it does not answer in time. */
  text(): Promise<string>;
  contentType: string;
}

const QUERY_TIMEOUT_MS = 1_000;
const HTTP_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
const JOB_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 120, 600];

/** A registry of its own, so that two services in one process (tests) do not mix. */
export function createMetrics({ pools, cache }: MetricsSources): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];

  const http = new Histogram({
    name: 'tollgate_http_request_duration_seconds',
    help: 'Time from the arrival of a request to the end of its answer, by route.',
    labelNames: ['method', 'route', 'status'],
    buckets: HTTP_BUCKETS,
    registers,
  });
  const jobs = new Histogram({
    name: 'tollgate_job_duration_seconds',
    help: 'Time that a job took, by task and outcome (ok, failed: tried again, gave_up).',
    labelNames: ['task', 'outcome'],
    buckets: JOB_BUCKETS,
    registers,
  });
  gaugeEach(registry, 'tollgate_db_pool_connections', 'Connections of each pool, by state.', ['pool', 'state'], () =>
    Object.entries(pools).flatMap(([pool, { totalCount, idleCount, waitingCount }]) => [
      [{ pool, state: 'used' }, totalCount - idleCount],
      [{ pool, state: 'idle' }, idleCount],
      [{ pool, state: 'waited_for' }, waitingCount],
    ]),
  );
  countFrom(registry, 'tollgate_cache_hits_total', 'Snapshots found in the cache.', () => cache().hits);
  countFrom(registry, 'tollgate_cache_misses_total', 'Snapshots read from the database.', () => cache().misses);
  gaugeEach(registry, 'tollgate_cache_entries', 'Snapshots in the cache.', [], () => [[{}, cache().entries]]);
  gaugeEach(registry, 'tollgate_cache_bytes', 'Estimated size of the cache.', [], () => [[{}, cache().bytes]]);

  const database = Object.values(pools)[0];
  const queued = new Gauge({
    name: 'tollgate_jobs',
    help: 'Jobs in the queue: ready (due now), later, running, dead (out of attempts).',
    labelNames: ['state'],
    registers,
  });
  const inbox = new Gauge({
    name: 'tollgate_inbox_events',
    help: 'Stripe events that are not done with, by status; processed and ignored ones are not counted.',
    labelNames: ['status'],
    registers,
  });
  const parked = new Gauge({
    name: 'tollgate_parked_objects',
    help: 'Objects of Stripe that nobody can be found for and that no operator has decided on, by reason.',
    labelNames: ['reason'],
    registers,
  });
  const inboxAge = new Gauge({
    name: 'tollgate_inbox_oldest_seconds',
    help: 'How long the oldest event that still waits to be processed has waited; 0 when none does.',
    registers,
  });

  const reconciliation = reconciliationGauges(registry);

  async function askDatabase(): Promise<void> {
    for (const gauge of [queued, inbox, inboxAge, parked]) {
      gauge.reset();
    }
    reconciliation.reset();
    if (!database) {
      return;
    }
    const [jobRows, inboxRows, parkedRows] = await within(
      QUERY_TIMEOUT_MS,
      Promise.all([
        database.query<{ state: string; count: number }>(QUEUE),
        database.query<{ status: string; count: number; oldest: number }>(INBOX),
        database.query<{ reason: string; count: number }>(PARKED),
        reconciliation.read(database),
      ]),
    );
    for (const { state, count } of jobRows.rows) {
      queued.set({ state }, count);
    }
    for (const { status, count } of inboxRows.rows) {
      inbox.set({ status }, count);
    }
    for (const { reason, count } of parkedRows.rows) {
      parked.set({ reason }, count);
    }
    const waiting = inboxRows.rows.filter(({ status }) => status === 'received' || status === 'failed');
    inboxAge.set(Math.max(0, ...waiting.map(({ oldest }) => oldest)));
  }

  // Finding a labelled series costs more than observing it, and the checks' own few are asked for all the time.
  const series = new Map<string, { observe(value: number): void }>();
  return {
    onAnswered: ({ method, route, status, seconds }) => {
      const key = `${method} ${route} ${status}`;
      let known = series.get(key);
      if (!known) {
        known = http.labels({ method, route, status: String(status) });
        series.set(key, known);
      }
      known.observe(seconds);
    },
    onJobFinished: (task, outcome, seconds) => jobs.labels({ task, outcome }).observe(seconds),
    text: async () => {
      await askDatabase().catch(() => {});
      return registry.metrics();
    },
    contentType: registry.contentType,
  };
}

const QUEUE = `
  select case when locked_at is not null then 'running'
              when attempts >= max_attempts then 'dead'
              when run_at > now() then 'later' else 'ready' end as state,
         count(*) as count
    from graphile_worker._private_jobs group by 1`;

const INBOX = `
  select status, count(*) as count, extract(epoch from now() - min(received_at))::float8 as oldest
    from tollgate.events where status in ('received', 'parked', 'failed', 'dead') group by status`;

const PARKED = `
  select reason, count(*) as count from tollgate.parked_objects where status = 'open' group by reason`;

type Reading = [labels: Record<string, string>, value: number];

function gaugeEach(registry: Registry, name: string, help: string, labelNames: string[], read: () => Reading[]): void {
  new Gauge({
    name,
    help,
    labelNames,
    registers: [registry],
    collect() {
      for (const [labels, value] of read()) {
        this.set(labels, value);
      }
    },
  });
}

/** A counter whose count is kept elsewhere. */
function countFrom(registry: Registry, name: string, help: string, read: () => number): void {
  let last = 0;
  new Counter({
    name,
    help,
    registers: [registry],
    collect() {
      const now = read();
      this.inc(Math.max(0, now - last));
      last = now;
    },
  });
}
