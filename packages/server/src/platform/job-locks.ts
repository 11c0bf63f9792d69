import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkerEvents } from 'graphile-worker';
import type pg from 'pg';
import type { Log } from './log.ts';

/** First key of our advisory locks on pools of workers ("tgwk"); the second is a hash of the pool's id. */
const LOCK_CLASS = 0x7467776b;

/** Pools that hold jobs or queues although no process holds the pool's lock. `locked_by` is the pool's id. */
const ORPHANS = `
  with held as (
    select objid from pg_locks
     where locktype = 'advisory' and classid = $1::bigint::oid and granted
       and database = (select oid from pg_database where datname = current_database())
  ), pools as (
    select locked_by from graphile_worker._private_jobs where locked_by is not null
    union
    select locked_by from graphile_worker._private_job_queues where locked_by is not null
  )
  select locked_by from pools
   where (hashtext(locked_by)::bigint & 4294967295)::oid not in (select objid from held)`;

/** The jobs that pools of this process hold. */
const HELD = 'select id::text from graphile_worker._private_jobs where locked_by = any ($1::text[])';

/** Gives back claimed jobs that nobody began: the claim was no try. */
const GIVE_BACK = `
  with jobs as (
    update graphile_worker._private_jobs
       set locked_at = null, locked_by = null, attempts = greatest(attempts - 1, 0)
     where locked_by = any ($1::text[]) and id = any ($2::bigint[])
    returning job_queue_id
  )
  update graphile_worker._private_job_queues set locked_at = null, locked_by = null
   where locked_by = any ($1::text[]) and id in (select job_queue_id from jobs)`;

/** The claimed jobs that the workers of this process heard of, by id. */
export type Claims = Map<string, 'under way' | 'over'>;

/** Call it before the workers start. `keepJobLocksAlive` forgets what is over once that is recorded. */
export function trackClaims(events: WorkerEvents): Claims {
  const claims: Claims = new Map();
  events.on('job:start', ({ job }) => claims.set(String(job.id), 'under way'));
  events.on('job:complete', ({ job }) => claims.set(String(job.id), 'over'));
  return claims;
}

interface Options {
  pool: pg.Pool;
  poolIds: readonly string[];
  claims: Claims;
  log: Log;
  sweepMs: number;
}

/**
 * Graphile releases the jobs of a process that was killed only after four hours. Here every process holds an advisory
 * lock named after its pool of workers, on a connection of its own; the lock goes when the process does, and whoever
 * notices twice in a row that a job's pool has no lock releases its jobs at once.
 *
 * A claim can also be lost on its way to a process that lives: the database commits it, and the connection breaks before
 * the answer. What this process holds twice in a row without having heard of it, it gives back.
 */
export function keepJobLocksAlive(options: Options): { stop(): Promise<void> } {
  const stopped = new AbortController();
  const loop = watch(options, stopped.signal);
  return {
    stop: async () => {
      stopped.abort();
      await loop;
    },
  };
}

async function watch(options: Options, stopped: AbortSignal): Promise<void> {
  const { pool, poolIds, log, sweepMs } = options;
  let client: pg.PoolClient | undefined;
  let suspects = new Set<string>();
  let unheardOf = new Set<string>();
  const drop = (error?: unknown) => {
    client?.release(error instanceof Error ? error : true);
    client = undefined;
    suspects = new Set();
    unheardOf = new Set();
  };
  while (!stopped.aborted) {
    try {
      if (!client) {
        client = await pool.connect();
        await client.query('select pg_advisory_lock_shared($1::int, hashtext(id)) from unnest($2::text[]) id', [
          LOCK_CLASS,
          poolIds,
        ]);
      }
      const { rows } = await client.query<{ locked_by: string }>(ORPHANS, [LOCK_CLASS]);
      const orphans = rows.map((row) => row.locked_by);
      const dead = orphans.filter((id) => suspects.has(id));
      suspects = new Set(orphans);
      if (dead.length > 0) {
        log.warn({ pools: dead }, 'Releasing the jobs of processes that are gone');
        await client.query('select graphile_worker.force_unlock_workers($1::text[])', [dead]);
      }
      unheardOf = await giveBackLostClaims(client, unheardOf, options);
    } catch (error) {
      log.warn({ err: error }, 'Could not look for jobs of processes that are gone; trying again');
      drop(error);
    }
    await sleep(sweepMs, undefined, { signal: stopped, ref: false }).catch(() => {});
  }
  // Closing the connection, not only returning it to the pool, is what lets the locks go.
  drop();
}

/** Returns the held jobs that the workers have not heard of yet: lost, if that is still so the next time. */
async function giveBackLostClaims(
  client: pg.PoolClient,
  before: ReadonlySet<string>,
  { poolIds, claims, log }: Options,
): Promise<Set<string>> {
  const over = [...claims].filter(([, state]) => state === 'over').map(([id]) => id);
  const { rows } = await client.query<{ id: string }>(HELD, [poolIds]);
  const held = new Set(rows.map((row) => row.id));
  for (const id of over) {
    // Unless the workers began its next try in the meantime.
    if (!held.has(id) && claims.get(id) === 'over') {
      claims.delete(id);
    }
  }
  const unheardOf = new Set([...held].filter((id) => !claims.has(id)));
  const lost = [...unheardOf].filter((id) => before.has(id));
  if (lost.length > 0) {
    log.warn({ jobs: lost }, 'Giving back jobs whose claim was lost on its way here');
    await client.query(GIVE_BACK, [poolIds, lost]);
    for (const id of lost) {
      unheardOf.delete(id);
    }
  }
  return unheardOf;
}
