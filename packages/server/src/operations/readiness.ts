import type pg from 'pg';
import { isMigrated } from '../platform/migrate.ts';
import { within } from '../platform/within.ts';

/** `ok`, `disabled`, or in a few words what is wrong. */
export type CheckResult = string;

export interface Readiness {
  /** `degraded`: something is wrong; checks are still answered from the cache. */
  status: 'ready' | 'degraded';
  /** Whether requests can be served properly at all; when not, none should be sent here. */
  servable: boolean;
  checks: { database: CheckResult; migrations: CheckResult; cache: CheckResult; jobs: CheckResult };
}

export interface ReadinessSources {
  pool: pg.Pool;
  /** Whether the job workers of this process run. */
  jobsRunning: () => boolean;
  /** Whether the cache hears of changes; without that, answers may be as old as its maximum age. */
  cacheListening: () => boolean;
  timeoutMs?: number;
}

const TIMEOUT_MS = 2_000;

/** Asks everything that the service stands on, at the same time, for at most two seconds. */
export async function checkReadiness(sources: ReadinessSources): Promise<Readiness> {
  const timeoutMs = sources.timeoutMs ?? TIMEOUT_MS;
  const [database, migrations] = await Promise.all([
    ask(timeoutMs, async () => {
      await sources.pool.query('select 1');
      return 'ok';
    }),
    ask(timeoutMs, async () => ((await isMigrated(sources.pool)) ? 'ok' : 'pending')),
  ]);
  const cache = sources.cacheListening() ? 'ok' : 'reconnecting';
  const jobs = sources.jobsRunning() ? 'ok' : 'stopped';
  const checks = { database, migrations, cache, jobs };
  if (database !== 'ok' || migrations !== 'ok') {
    return { status: 'degraded', servable: false, checks };
  }
  return { status: cache === 'ok' && jobs === 'ok' ? 'ready' : 'degraded', servable: true, checks };
}

/** What went wrong is for the log and for those who may read it; the answer only says which part failed. */
async function ask(timeoutMs: number, question: () => Promise<CheckResult>): Promise<CheckResult> {
  try {
    return await within(timeoutMs, question());
  } catch {
    return 'failed';
  }
}
