import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { type JobHelpers, Logger, parseCronItems, run, type WorkerEvents } from 'graphile-worker';
import { type RawBuilder, sql } from 'kysely';
import type pg from 'pg';
import type { Queryable } from './database.ts';
import { keepJobLocksAlive, trackClaims } from './job-locks.ts';
import type { Log } from './log.ts';

export type TaskName =
  | 'sync_object'
  | 'recompute_customers'
  | 'wake_parked'
  | 'reconcile'
  | 'schedule_reconcile'
  | 'announce_passed'
  | 'deliver_notices'
  | 'import'
  | 'reconcile_continuously'
  | 'catch_up_events'
  | 'housekeeping';

export interface TaskInfo {
  /** 1 for the first try. */
  attempt: number;
  maxAttempts: number;
  /** Aborted when the process is about to stop: long work should pause where it is and throw. */
  signal: AbortSignal;
}

/** Does one job. A rejection means: try again later, with growing delays, up to `maxAttempts`. */
export type Task = (payload: unknown, info: TaskInfo) => Promise<void>;

export interface JobOptions {
  /** A second job with the same key replaces the waiting first one (see `jobKeyMode`). */
  jobKey?: string;
  /** `replace` (default) also moves the time; `preserve_run_at` keeps it; `unsafe_dedupe` leaves the first as it is. */
  jobKeyMode?: 'replace' | 'preserve_run_at' | 'unsafe_dedupe';
  runAt?: Date;
  /** Jobs of one queue run one after the other. */
  queueName?: string;
  /** 25 by default. */
  maxAttempts?: number;
  /** Lower runs first; 0 by default. */
  priority?: number;
}

/** Adds a job in the caller's transaction: it exists if and only if the rest of the transaction does. */
export async function enqueue(tx: Queryable, task: TaskName, payload: object, options: JobOptions = {}): Promise<void> {
  await sql`select ${addJob(task, payload, options)}`.execute(tx);
}

/** The same as a part of a statement: it exists if and only if the statement succeeds (see migration 0014). */
export function addJob(task: TaskName, payload: object, options: JobOptions = {}): RawBuilder<unknown> {
  return sql`tollgate.add_job(
    identifier => ${task}::text,
    payload => ${JSON.stringify(payload)}::json,
    queue_name => ${options.queueName ?? null}::text,
    run_at => ${options.runAt ?? null}::timestamptz,
    max_attempts => ${options.maxAttempts ?? null}::integer,
    job_key => ${options.jobKey ?? null}::text,
    priority => ${options.priority ?? null}::integer,
    job_key_mode => ${options.jobKeyMode ?? 'replace'}::text
  )`;
}

export interface CronEntry {
  task: TaskName;
  /** Five fields, UTC: `0 3 * * *`. */
  schedule: string;
  /** Whether a run missed while nothing was up is caught up on within a day. */
  catchUp?: boolean;
  /** Whether one runs at a time, over all processes, and behind other jobs. */
  alone?: boolean;
}

export interface JobsOptions {
  pool: pg.Pool;
  /** Only jobs of these tasks are taken. */
  tasks: Partial<Record<TaskName, Task>>;
  cron: readonly CronEntry[];
  /** How many jobs run at once in this process. */
  concurrency: number;
  log: Log;
  /** Called after each job, for metrics. */
  onFinish?: (task: string, outcome: 'ok' | 'failed' | 'gave_up', seconds: number) => void;
  /** How often to look for jobs whose time has come and for those of dead workers; for tests. */
  pollMs?: number;
}

export interface Jobs {
  /** False while the workers are being started again, and after they were stopped. */
  running(): boolean;
  /** Takes no more jobs, waits for those under way (and aborts their signal after five seconds). */
  stop(): Promise<void>;
}

/** For what nobody waits for. */
const LOW_PRIORITY = 20;
const DAY_MS = 24 * 60 * 60 * 1000;
const FIRST_RESTART_MS = 500;
const LAST_RESTART_MS = 10_000;
/** How long workers that have stopped may take to record the jobs that they did last. */
const LAST_RECORDS_MS = 1_000;

/** Whether this is a schedule of five fields that `cron` understands. */
export function isCronSchedule(text: string): boolean {
  try {
    parseCronItems([{ task: 'any', match: text }]);
    return text.trim().split(/\s+/).length === 5;
  } catch {
    return false;
  }
}

/**
 * Starts working on jobs. Several processes may do so on one database: each job is claimed by one of them.
 *
 * Graphile ends its workers when it cannot record what became of a job (the database went away at that moment), and
 * they are ended here when it could not even begin to look for jobs. They are started again, for ever; what the ended
 * ones held is released like that of a killed process.
 */
export async function startJobs(options: JobsOptions): Promise<Jobs> {
  const { log } = options;
  const stopped = new AbortController();
  let current: Workers | null = await startWorkers(options);
  const loop = supervise();

  async function supervise(): Promise<void> {
    let delayMs = FIRST_RESTART_MS;
    while (current) {
      const startedAt = Date.now();
      await current.ended;
      await current.letGo();
      current = null;
      if (Date.now() - startedAt > LAST_RESTART_MS) {
        delayMs = FIRST_RESTART_MS;
      }
      while (!current && !stopped.signal.aborted) {
        await sleep(delayMs * (0.5 + Math.random()), undefined, { signal: stopped.signal, ref: false }).catch(() => {});
        delayMs = Math.min(delayMs * 2, LAST_RESTART_MS);
        if (!stopped.signal.aborted) {
          current = await startWorkers(options).catch((error: unknown) => {
            log.warn({ err: error }, 'Could not start the job workers again yet');
            return null;
          });
        }
      }
      if (current && stopped.signal.aborted) {
        await current.stop();
      }
    }
  }

  return {
    running: () => current !== null,
    stop: async () => {
      stopped.abort();
      await current?.stop();
      await loop;
    },
  };
}

interface Workers {
  /** Resolves when they have ended, for whatever reason. */
  ended: Promise<void>;
  stop(): Promise<void>;
  /** After the end: others may take the jobs that could not be released. */
  letGo(): Promise<void>;
}

async function startWorkers(options: JobsOptions): Promise<Workers> {
  const { log, pool } = options;
  const pollMs = options.pollMs ?? 1_000;
  const events: WorkerEvents = new EventEmitter();
  // Many workers share one emitter; each adds a few listeners.
  events.setMaxListeners(0);
  reportJobs(events, options);
  const poolIds: string[] = [];
  events.on('pool:create', ({ workerPool }) => poolIds.push(workerPool.id));
  const claims = trackClaims(events);
  const blind = failureBeforeTheFirstLook(events);

  const runner = await run({
    pgPool: pool,
    concurrency: options.concurrency,
    noHandleSignals: true,
    pollInterval: pollMs,
    events,
    // Without batches (here of whatever ends in the same moment) nobody waits for what became of a job to be recorded,
    // and an error while recording it would end the process.
    preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
    logger: new Logger(() => (level, message) => {
      // Graphile tells of every job it starts and ends; here that is detail, and failures are logged with their error.
      log[level === 'error' || level === 'warning' ? 'debug' : 'trace']({ source: 'graphile-worker' }, message);
    }),
    taskList: Object.fromEntries(
      Object.entries(options.tasks).map(([name, task]) => [
        name,
        async (payload, helpers) => {
          const info = {
            attempt: helpers.job.attempts,
            maxAttempts: helpers.job.max_attempts,
            signal: helpers.abortSignal ?? new AbortController().signal,
          };
          try {
            await task(payload, info);
          } catch (error) {
            if (!(await isReplaced(helpers).catch(() => false))) throw error;
            log.warn({ err: error, task: name, job: helpers.job.id }, 'A job failed, and leaves its work to another');
          }
        },
      ]),
    ),
    parsedCronItems: parseCronItems(
      options.cron.map((entry) => ({
        task: entry.task,
        match: entry.schedule,
        identifier: entry.task,
        options: {
          backfillPeriod: entry.catchUp ? DAY_MS : 0,
          jobKey: `cron:${entry.task}`,
          ...(entry.alone ? { queueName: `cron:${entry.task}`, priority: LOW_PRIORITY, maxAttempts: 1 } : {}),
        },
      })),
    ),
  });
  const locks = keepJobLocksAlive({ pool, poolIds, claims, log, sweepMs: pollMs * 2 });

  // Once it could not record what became of several jobs, graphile (0.18) stops its workers, miscounts what is left to
  // record, and waits for it for ever.
  const halted = new Promise<void>((resolve) => {
    const soon = () => void setTimeout(resolve, LAST_RECORDS_MS);
    events.on('pool:gracefulShutdown:complete', soon);
    events.on('pool:forcefulShutdown:complete', soon);
    events.on('pool:forcefulShutdown:error', soon);
  });
  let stopping: Promise<void> | undefined;
  const stop = () => {
    // Rejects only when they are at their end already.
    stopping ??= Promise.race([runner.stop().catch(() => {}), halted]);
    return stopping;
  };
  const warn = (error?: unknown) => {
    if (!stopping) log.warn({ err: error }, 'The job workers ended; starting them again');
  };
  const ended = Promise.race([runner.promise.catch(warn), halted.then(() => warn()), blind.then(warn)]).then(stop);
  return {
    ended,
    stop,
    letGo: () => locks.stop(),
  };
}

/**
 * Whether another job with its key was added while this one was under way. Graphile tries such a one no more, and would
 * keep it like one that was given up, although the other does all of its work.
 */
async function isReplaced({ job, query }: JobHelpers): Promise<boolean> {
  if (job.key === null) return false;
  const { rows } = await query('select from graphile_worker._private_jobs where id = $1 and key is null', [job.id]);
  return rows.length > 0;
}

/**
 * Resolves when a worker fails before any has looked for a job. Graphile (0.18) asks the database once for the ids of
 * its tasks and keeps the answer, even if it is an error: such workers would fail for ever, and look alive.
 */
function failureBeforeTheFirstLook(events: WorkerEvents): Promise<unknown> {
  let looked = false;
  const look = () => {
    looked = true;
  };
  events.once('worker:getJob:empty', look);
  events.once('job:start', look);
  return new Promise((resolve) => {
    events.on('worker:getJob:error', ({ error }) => {
      // Not at once: a worker that is stopped while it reports its failure ends with that failure instead of quietly.
      if (!looked) setImmediate(resolve, error);
    });
  });
}

function reportJobs(events: WorkerEvents, { log, onFinish }: JobsOptions): void {
  const seconds = (job: { locked_at?: Date | null }) =>
    job.locked_at ? Math.max(0, Date.now() - new Date(job.locked_at).getTime()) / 1000 : 0;
  events.on('job:success', ({ job }) => onFinish?.(job.task_identifier, 'ok', seconds(job)));
  events.on('job:error', ({ job, error }) => {
    log.warn(
      { err: error, task: job.task_identifier, job: job.id, attempt: job.attempts, maxAttempts: job.max_attempts },
      'A job failed',
    );
  });
  events.on('job:failed', ({ job, error }) => {
    log.error({ err: error, task: job.task_identifier, job: job.id }, 'A job failed for the last time');
    onFinish?.(job.task_identifier, 'gave_up', seconds(job));
  });
  events.on('job:complete', ({ job, error }) => {
    if (error && job.attempts < job.max_attempts) {
      onFinish?.(job.task_identifier, 'failed', seconds(job));
    }
  });
}
