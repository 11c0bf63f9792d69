/**
 * Takes jobs out of graphile's tables in an order of the scheduler's and runs the service's own tasks; claims, retries,
 * queues and keys mean what they mean to graphile.
 */
import type { JobsOptions } from '../../packages/server/src/platform/jobs.ts';
import { ask } from '../virtual/pg.ts';
import { owners, virtualTime } from '../virtual/time.ts';
import type { Process } from './process.ts';
import { type Scheduler, SimulationError, type Source, type Step } from './scheduler.ts';

interface Job {
  id: string;
  task: string;
  queue: string | null;
  at: number;
  attempts: number;
  maxAttempts: number;
  payload: unknown;
}

const AT_ONCE = 3;

const WAITING = `
  select job.id::text, task.identifier as task, job.job_queue_id::text as queue, job.run_at, job.attempts,
         job.max_attempts, job.payload
    from graphile_worker._private_jobs job
    join graphile_worker._private_tasks task on task.id = job.task_id
   where job.locked_at is null and job.attempts < job.max_attempts
     and (job.job_queue_id is null or not exists (
       select from graphile_worker._private_job_queues queue where queue.id = job.job_queue_id and queue.locked_at is not null))
   order by job.priority, job.run_at, job.id`;

export class JobDriver implements Source {
  readonly #scheduler: Scheduler;
  readonly #processes: () => readonly Process[];
  #waiting: Job[] = [];
  #changed = true;
  /** Whether jobs are given to anybody at all. */
  enabled = true;
  #underWay = new Map<Process, number>();

  constructor(scheduler: Scheduler, processes: () => readonly Process[]) {
    this.#scheduler = scheduler;
    this.#processes = processes;
  }

  /** Jobs were added, or are free again. */
  changed(): void {
    this.#changed = true;
  }

  /** What a clock on the wall sets off in production. */
  async add(task: string): Promise<void> {
    await ask('select graphile_worker.add_job($1, run_at := $2::timestamptz)', [task, new Date(virtualTime.now())]);
    await this.#look();
  }

  /** Whether any job waits or is under way. */
  busy(): boolean {
    return this.#waiting.length > 0 || [...this.#underWay.values()].some((count) => count > 0);
  }

  async ready(): Promise<Step[]> {
    if (this.#changed) await this.#look();
    const due = this.#waiting.filter((job) => job.at <= virtualTime.now());
    if (due.length === 0) return [];
    const free = this.#processes().filter(
      (process) => process.alive && process.tasks !== null && (this.#underWay.get(process) ?? 0) < AT_ONCE,
    );
    // Workers take the jobs of the highest priority in order, as several of them reach for the queue at once.
    return due
      .slice(0, 4)
      .flatMap((job) =>
        free.map((process) => ({ owner: process, label: `begin ${job.task}`, run: () => this.#begin(process, job) })),
      );
  }

  next(): number | null {
    const times = this.#waiting.map(({ at }) => at);
    return times.length === 0 ? null : Math.min(...times);
  }

  /** What a dead process had claimed is free again: nobody holds its lock any more. */
  async release(process: Process): Promise<void> {
    this.#underWay.delete(process);
    await ask(`update graphile_worker._private_jobs set locked_at = null, locked_by = null where locked_by = $1`, [
      process.name,
    ]);
    await ask(
      `update graphile_worker._private_job_queues set locked_at = null, locked_by = null where locked_by = $1`,
      [process.name],
    );
    this.#changed = true;
  }

  async #look(): Promise<void> {
    this.#changed = false;
    const rows = await ask(WAITING);
    const queues = new Set<string>();
    this.#waiting = rows.flatMap((row): Job[] => {
      // One job of a queue at a time, the first one.
      if (row.queue !== null && queues.has(row.queue)) return [];
      if (row.queue !== null) queues.add(row.queue);
      const { id, task, queue, attempts, max_attempts: maxAttempts, payload } = row;
      return [{ id, task, queue, at: row.run_at.getTime(), attempts, maxAttempts, payload }];
    });
  }

  async #begin(process: Process, job: Job): Promise<void> {
    const [claimed] = await ask(
      `update graphile_worker._private_jobs set attempts = attempts + 1, locked_by = $1, locked_at = $3
        where id = $2 and locked_at is null returning attempts, payload`,
      [process.name, job.id, new Date(virtualTime.now())],
    );
    if (claimed === undefined) {
      this.#changed = true;
      return;
    }
    // Nobody else's turn comes by that: there is no need to look again.
    this.#waiting.splice(this.#waiting.indexOf(job), 1);
    if (job.queue !== null) {
      await ask(`update graphile_worker._private_job_queues set locked_by = $1, locked_at = $3 where id = $2`, [
        process.name,
        job.queue,
        new Date(virtualTime.now()),
      ]);
    }
    this.#underWay.set(process, (this.#underWay.get(process) ?? 0) + 1);
    const task = process.tasks?.[job.task as keyof JobsOptions['tasks']];
    if (task === undefined) throw new SimulationError(`Nobody does the job ${job.task}.`);
    const info = { attempt: claimed.attempts, maxAttempts: job.maxAttempts, signal: new AbortController().signal };
    owners.run(process, () => {
      task(claimed.payload, info).then(
        () => this.#end(process, job, null),
        (error: unknown) => this.#end(process, job, error instanceof Error ? error.message : String(error)),
      );
    });
  }

  /** Recording what became of a job is a commit of its own: the process may die before it. */
  #end(process: Process, job: Job, error: string | null): void {
    void owners.run(process, () =>
      this.#scheduler.step(`end ${job.task}${error === null ? '' : ` (${error.slice(0, 60)})`}`, async () => {
        this.#underWay.set(process, Math.max(0, (this.#underWay.get(process) ?? 1) - 1));
        if (error !== null || job.queue !== null) this.#changed = true;
        if (error === null) {
          await ask('delete from graphile_worker._private_jobs where id = $1 and locked_by = $2', [
            job.id,
            process.name,
          ]);
        } else {
          await ask(
            `update graphile_worker._private_jobs
                set last_error = $3, run_at = greatest($4::timestamptz, run_at) + exp(least(attempts, 10)) * interval '1 second',
                    locked_by = null, locked_at = null
              where id = $1 and locked_by = $2`,
            [job.id, process.name, error, new Date(virtualTime.now())],
          );
        }
        if (job.queue !== null) {
          await ask(
            `update graphile_worker._private_job_queues set locked_by = null, locked_at = null where id = $1 and locked_by = $2`,
            [job.queue, process.name],
          );
        }
      }),
    );
  }
}
