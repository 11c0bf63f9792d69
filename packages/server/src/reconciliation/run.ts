import { sql } from 'kysely';
import type { Task } from '../platform/jobs.ts';
import { longTask } from '../platform/long-work.ts';
import { getProject } from '../projects/find-project.ts';
import { type Manner, mannerOf } from '../stripe/manner.ts';
import { noteCompared } from './compared-until.ts';
import { completeRun, failRun } from './end-run.ts';
import { countExpected } from './expected.ts';
import { progressOf, readRun } from './progress.ts';
import { proveStep } from './prove-step.ts';
import type { Scope } from './scope.ts';
import { RUN_JOB, type RunRow } from './start-run.ts';
import { stepName, stepsOf } from './steps.ts';
import { LeftBehind, throughConnections } from './through-connections.ts';
import { type ReconcileDeps, type Working, workingWith, workStep } from './work-step.ts';

/** Does one run, or goes on with one that was cut short. The payload is `{runId}`. */
export function reconcileTask(deps: ReconcileDeps, options: Partial<Manner> = {}): Task {
  const manner = mannerOf(options);
  return longTask<RunRow>(deps, {
    job: RUN_JOB,
    cutShort: 'A reconciliation was cut short',
    begin: (id) => begin(deps, id),
    goOn: (run, signal) => workThrough(workingWith(deps, manner, signal), run),
    read: (id) => readRun(deps.db, id),
    wayOf: (run) => {
      // To leave a connection behind is no progress.
      const { place, done } = progressOf(run);
      return { place, done };
    },
    restMs: manner.retry.capMs,
    isForGood: (error) => error instanceof LeftBehind && error.needsPerson,
    fail: (run, reason, error) => failRun(deps, run, reason, error),
    // Nobody may have asked for it.
    alarming: true,
  });
}

/** @returns undefined when there is nothing (more) to do */
async function begin({ db, clock }: ReconcileDeps, runId: string): Promise<RunRow | undefined> {
  const now = new Date(clock.now());
  return await db
    .updateTable('tollgate.reconciliation_runs')
    .set((of) => ({
      status: 'running',
      started_at: of.fn.coalesce('started_at', sql<Date>`${now}::timestamptz`),
      heartbeat_at: now,
      seen_since: of.fn.coalesce('seen_since', sql<Date>`now()`),
    }))
    .where('id', '=', runId)
    .where('status', 'in', ['queued', 'running'])
    .returningAll()
    .executeTakeFirst();
}

async function workThrough(deps: Working, begun: RunRow): Promise<void> {
  const scope = { projectId: begun.project_id, customerId: begun.customer_id };
  const connectionIds = await connectionsOf(deps, scope);
  const expecting = begun.expected === null ? await countExpected(deps.db, begun, connectionIds) : begun;
  const run = await throughConnections(deps, expecting, connectionIds, async (at, connectionId, from) => {
    const steps = stepsOf(scope, [connectionId]);
    const first = from === null ? 0 : steps.findIndex((step) => stepName(step) === from.step);
    let run = at;
    for (const step of steps.slice(Math.max(0, first))) {
      const after = from !== null && from.step === stepName(step) ? from.after : null;
      run = step.what === 'proven' ? await proveStep(deps, run, step, after) : await workStep(deps, run, step, after);
      if (step.what === 'unmet' && step.kind === 'invoice') await noteCompared(deps.db, run, connectionId);
    }
    return run;
  });
  await completeRun(deps, run);
}

/** Also one that cannot be used now: a run that left it out would not be complete. */
async function connectionsOf({ db, connections }: Working, { projectId }: Scope): Promise<string[]> {
  if (projectId !== null) return [(await getProject(db, projectId)).connectionId];
  const used = await db.selectFrom('tollgate.projects').select('connection_id').distinct().execute();
  return [...new Set([...connections.ids(), ...used.map(({ connection_id }) => connection_id)])];
}
