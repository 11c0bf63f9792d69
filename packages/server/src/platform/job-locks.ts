import { setTimeout as sleep } from 'node:timers/promises';
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

interface Options {
  pool: pg.Pool;
  poolIds: readonly string[];
  log: Log;
  sweepMs: number;
}

/**
 * Graphile releases the jobs of a process that was killed only after four hours. Here every process holds an advisory
 * lock named after its pool of workers, on a connection of its own; the lock goes when the process does, and whoever
 * notices twice in a row that a job's pool has no lock releases its jobs at once.
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

async function watch({ pool, poolIds, log, sweepMs }: Options, stopped: AbortSignal): Promise<void> {
  let client: pg.PoolClient | undefined;
  let suspects = new Set<string>();
  const drop = (error?: unknown) => {
    client?.release(error instanceof Error ? error : true);
    client = undefined;
    suspects = new Set();
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
    } catch (error) {
      log.warn({ err: error }, 'Could not look for jobs of processes that are gone; trying again');
      drop(error);
    }
    await sleep(sweepMs, undefined, { signal: stopped, ref: false }).catch(() => {});
  }
  // Closing the connection, not only returning it to the pool, is what lets the locks go.
  drop();
}
