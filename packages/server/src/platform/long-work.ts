/**
 * Long work: a row says what is to be done and how far it is, and a job does it. Where a job was cut short, by a failure
 * or since its process died, the next one goes on at the place that the row names.
 */
import { type RawBuilder, sql } from 'kysely';
import { canonicalJson } from './canonical-json.ts';
import type { Database, Queryable } from './database.ts';
import { enqueue, type Task, type TaskName } from './jobs.ts';
import { type Log, withoutSecrets } from './log.ts';

/** Failures at one place after which the work is given up: with growing delays that is some three hours. */
const MAX_ATTEMPTS = 10;

/** The jobs that do one kind of long work. */
export interface LongJob {
  task: TaskName;
  /** How the row is called: `run` makes the payload `{runId}`, and `run_id` in the log. */
  row: string;
}

/**
 * Adds the job that goes on with the work, in place of one that waits.
 * @param runAt - default: at once
 */
export async function enqueueLongWork(tx: Queryable, { task, row }: LongJob, id: string, runAt?: Date): Promise<void> {
  const when = runAt === undefined ? {} : { runAt };
  const options = { jobKey: `${task}:${id}`, maxAttempts: MAX_ATTEMPTS, priority: 10, ...when };
  await enqueue(tx, task, { [`${row}Id`]: id }, options);
}

/** Another process goes on with the work, and is further. */
export class Overtaken extends Error {
  override readonly name = 'Overtaken';
}

/** Whether the work is where it was when its row was read: a condition for whoever writes down that it came further. */
export function isWhereItWas({ cursor }: { cursor: object | null }): RawBuilder<boolean> {
  const was = cursor === null ? null : JSON.stringify(cursor);
  return sql<boolean>`status = 'running' and cursor is not distinct from ${was}::jsonb`;
}

export interface LongWork<Row extends { id: string }> {
  job: LongJob;
  /** What the log says of a failure. */
  cutShort: string;
  /** @returns the row, now `running`; undefined when there is nothing (more) to do */
  begin(id: string): Promise<Row | undefined>;
  /** Does all that is left to do. */
  goOn(row: Row, signal: AbortSignal): Promise<void>;
  /** The row as it is now. */
  read(id: string): Promise<Row>;
  /** How far the work is: differs once it has come further. */
  wayOf(row: Row): unknown;
  /** How long it rests after a failure that came when it had come further. */
  restMs: number;
  /** Whether no other attempt can change the outcome. */
  isForGood(error: unknown): boolean;
  /** Ends the work as `failed`. @param reason - the error in words that can be shown */
  fail(row: Row, reason: string, error: unknown): Promise<void>;
  /** Whether operators hear of it as of a job that was given up, when the attempts have run out. */
  alarming: boolean;
}

/** The task that does such work. */
export function longTask<Row extends { id: string }>(
  { db, log }: { db: Database; log: Log },
  work: LongWork<Row>,
): Task {
  return async (payload, { attempt, maxAttempts, signal }) => {
    const row = await work.begin(idIn(payload, work.job));
    if (row === undefined) return;
    try {
      await work.goOn(row, signal);
    } catch (error) {
      if (error instanceof Overtaken) return;
      if (signal.aborted) {
        // The process stops: another one goes on from the last page, and this does not count as a failure.
        await enqueueLongWork(db, work.job, row.id);
        return;
      }
      log.warn({ err: error, [`${work.job.row}_id`]: row.id, attempt }, work.cutShort);
      if (work.isForGood(error)) {
        // Waiting does not help, and holds up whoever wants it done anew.
        await work.fail(row, reasonOf(error), error);
        return;
      }
      if (canonicalJson(work.wayOf(await work.read(row.id))) !== canonicalJson(work.wayOf(row))) {
        // What stood in the way came after work was done: that is no failure in a row.
        await enqueueLongWork(db, work.job, row.id, new Date(Date.now() + work.restMs));
        return;
      }
      if (attempt >= maxAttempts) {
        await work.fail(row, reasonOf(error), error);
        if (!work.alarming) return;
      }
      throw error;
    }
  };
}

function idIn(payload: unknown, { task, row }: LongJob): string {
  const id = (payload as Record<string, unknown> | null)?.[`${row}Id`];
  if (typeof id !== 'string') throw new Error(`A job of the task ${task} names no ${row}.`);
  return id;
}

function reasonOf(error: unknown): string {
  return withoutSecrets(error instanceof Error ? error.message : String(error)).slice(0, 500);
}
