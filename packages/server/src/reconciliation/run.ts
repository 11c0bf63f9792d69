import { sql } from 'kysely';
import type { MirrorDeps } from '../mirror/sync-object.ts';
import { canonicalJson } from '../platform/http/canonical-json.ts';
import type { Task } from '../platform/jobs.ts';
import { getProject } from '../projects/find-project.ts';
import { completeRun, failRun } from './end-run.ts';
import { examinePage } from './examine.ts';
import type { Kind, Look } from './kind.ts';
import { KINDS } from './kinds.ts';
import { createPace, type Pace } from './pace.ts';
import { PATIENCE, type Patience, patiently } from './patiently.ts';
import { countsOf, Overtaken, placeOf, saveProgress } from './progress.ts';
import type { SettleDeps } from './settle-drift.ts';
import { enqueueRun, type RunRow } from './start-run.ts';
import { type Step, stepName, stepsOf } from './steps.ts';
import { UndeliveredEvents } from './undelivered-events.ts';

export interface ReconcileOptions {
  /** Calls a second to each of Stripe's endpoints, which takes 25 in test mode; null: no limit. Default 20. */
  callsPerSecond?: number | null;
  /** Objects a page, at most 100. Default 100. */
  pageSize?: number;
  patience?: Patience;
}

interface Working extends SettleDeps {
  pace: Pace;
  patience: Patience;
  pageSize: number;
  signal: AbortSignal;
}

const CALLS_PER_SECOND = 20;

/** Does one run, or goes on with one that was cut short. The payload is `{runId}`. */
export function reconcileTask(deps: MirrorDeps, options: ReconcileOptions = {}): Task {
  const { callsPerSecond = CALLS_PER_SECOND, pageSize = 100, patience = PATIENCE } = options;
  // One pace for all the runs of the process: Stripe counts the account's calls.
  const pace = createPace(callsPerSecond);
  return async (payload, { attempt, maxAttempts, signal }) => {
    const run = await begin(deps, runIdIn(payload));
    if (run === undefined) return;
    const working = { ...deps, undelivered: new UndeliveredEvents(), pace, patience, pageSize, signal };
    try {
      await workThrough(working, run);
    } catch (error) {
      if (error instanceof Overtaken) return;
      if (signal.aborted) {
        // The process stops: another one goes on from the last page, and this does not count as a failure.
        await enqueueRun(deps.db, run.id);
        return;
      }
      deps.log.warn({ err: error, run_id: run.id, attempt }, 'A reconciliation was cut short');
      if (await hasMoved(deps, run)) {
        // What stood in the way came after work was done: that is no failure in a row.
        await enqueueRun(deps.db, run.id, new Date(Date.now() + patience.longestPauseMs));
        return;
      }
      if (attempt >= maxAttempts) await failRun(deps, run, error);
      throw error;
    }
  };
}

function runIdIn(payload: unknown): string {
  if (typeof payload === 'object' && payload !== null && 'runId' in payload && typeof payload.runId === 'string') {
    return payload.runId;
  }
  throw new Error('A reconcile job names no run.');
}

/** @returns undefined when there is nothing (more) to do */
async function begin({ db, clock }: MirrorDeps, runId: string): Promise<RunRow | undefined> {
  const now = new Date(clock.now());
  return await db
    .updateTable('tollgate.reconciliation_runs')
    .set((of) => ({
      status: 'running',
      started_at: of.fn.coalesce('started_at', sql<Date>`${now}::timestamptz`),
      heartbeat_at: now,
    }))
    .where('id', '=', runId)
    .where('status', 'in', ['queued', 'running'])
    .returningAll()
    .executeTakeFirst();
}

async function hasMoved({ db }: MirrorDeps, begun: RunRow): Promise<boolean> {
  const now = await db
    .selectFrom('tollgate.reconciliation_runs')
    .select('cursor')
    .where('id', '=', begun.id)
    .executeTakeFirst();
  return canonicalJson(now?.cursor ?? null) !== canonicalJson(begun.cursor);
}

async function workThrough(deps: Working, begun: RunRow): Promise<void> {
  const scope = { projectId: begun.project_id, customerId: begun.customer_id };
  const connectionIds =
    scope.projectId === null ? deps.connections.ids() : [(await getProject(deps.db, scope.projectId)).connectionId];
  const steps = stepsOf(scope, connectionIds);
  const place = placeOf(begun);
  const first =
    place === null
      ? 0
      : Math.max(
          0,
          steps.findIndex((step) => stepName(step) === place.step),
        );
  let run = begun;
  for (const step of steps.slice(first)) {
    const after = place !== null && place.step === stepName(step) ? place.after : null;
    run = await workStep(deps, run, step, after);
  }
  await completeRun(deps, run);
}

/** Goes through one step, page by page. @returns the run as it is afterwards */
async function workStep(deps: Working, begun: RunRow, step: Step, from: string | null): Promise<RunRow> {
  const kind: Kind<{ id: string }> = KINDS[step.kind];
  const connection = deps.connections.get(step.connectionId);
  const look: Look = {
    db: deps.db,
    connection,
    scope: { projectId: begun.project_id, customerId: begun.customer_id },
    ask: (endpoint, call) =>
      patiently(
        async () => {
          await deps.pace.turn(`${connection.id}/${endpoint}`, deps.signal);
          return await call();
        },
        deps.signal,
        deps.patience,
      ),
  };
  let run = begun;
  let after = from;
  for (;;) {
    deps.signal.throwIfAborted();
    const page = await nextPage(deps, look, run, kind, step, after);
    const counted = await examinePage(deps, look, run, kind, page.items, deps.signal);
    const counts = countsOf(run);
    for (const [name, more] of Object.entries(counted)) counts[name as keyof typeof counts] += more;
    counts[step.what === 'listed' ? 'listed' : 'asked'] += page.items.length;
    after = page.last ?? after;
    const met = page.met.map((id) => ({ kind: kind.name, id }));
    run = await saveProgress(deps.db, run, {
      place: { step: stepName(step), after },
      counts,
      connectionId: connection.id,
      met,
      now: deps.clock.now(),
    });
    if (!page.more) return run;
  }
}

interface NextPage {
  items: readonly ({ id: string } | string)[];
  /** Under which ids what was listed is stored. */
  met: readonly string[];
  last: string | null;
  more: boolean;
}

async function nextPage(
  deps: Working,
  look: Look,
  run: RunRow,
  kind: Kind<{ id: string }>,
  { what }: Step,
  after: string | null,
): Promise<NextPage> {
  const limit = deps.pageSize;
  if (what === 'unmet') {
    const ids = await kind.unmet(look, { runId: run.id, after: after ?? '', limit });
    return { items: ids, met: [], last: ids.at(-1) ?? null, more: ids.length === limit };
  }
  const { data, has_more } = await look.ask(kind.name, () =>
    kind.list(look, { limit, startingAfter: after ?? undefined }),
  );
  const last = data.at(-1)?.id ?? null;
  const met = data.map((listed) => kind.storedId(listed)).filter((id) => id !== null);
  return { items: data, met, last, more: has_more && last !== null };
}
