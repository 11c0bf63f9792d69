import { sql } from 'kysely';
import { hasEnded } from '../mirror/subscription-fact.ts';
import type { MirrorDeps } from '../mirror/types.ts';
import { newId } from '../platform/ids.ts';
import type { CronEntry, Task } from '../platform/jobs.ts';
import { completeRun } from './end-run.ts';
import { examinePage } from './examine.ts';
import type { Kind, KindName } from './kind.ts';
import { KINDS } from './kinds.ts';
import { KnownAccounts } from './known-accounts.ts';
import { mannerOf } from './manner.ts';
import { createPace } from './pace.ts';
import { countsOf, forget, noteSeen } from './progress.ts';
import type { RunRow } from './start-run.ts';
import { UndeliveredEvents } from './undelivered-events.ts';
import { lookAt, type Working } from './work-step.ts';

/** Once a minute, by one process, behind whatever else there is to do. */
export const CONTINUOUS_SCHEDULE: CronEntry = { task: 'reconcile_continuously', schedule: '* * * * *', alone: true };

/** Objects that are asked for in one go: some 58,000 a day. */
const BUDGET = 40;
/** Stripe takes 25 calls a second to an endpoint; webhooks and checkouts have most of them. */
const CALLS_PER_SECOND = 4;
/** What was looked at so lately is left alone: a small installation is not asked for over and over. */
const REST = '1 hour';

/**
 * The `reconcile_continuously` task: fetches the stored objects that have waited longest to be looked at, a few each
 * time, and settles what differs as a run of its own, which is there only when something did. While a run of everything
 * is under way there is nothing for it to do.
 */
export function continuousTask(deps: MirrorDeps): Task {
  const manner = mannerOf({ pace: createPace(CALLS_PER_SECOND), pageSize: BUDGET });
  return async (_payload, { signal }) => {
    if (await isCovered(deps)) return;
    const due = await longestUnseen(deps);
    if (due.length === 0) return;
    let run = await begin(deps);
    const working: Working = {
      ...deps,
      undelivered: new UndeliveredEvents(),
      accounts: new KnownAccounts(),
      ...manner,
      signal,
    };
    // One that is cut short is left as it is, and the next time goes on with it.
    for (const group of due) run = await lookAgain(working, run, group);
    await end(deps, run);
  };
}

interface Due {
  connectionId: string;
  kind: KindName;
  asked: string[];
  /** Ended for good: nothing about them can change. */
  over: string[];
}

async function lookAgain(working: Working, run: RunRow, { connectionId, kind, asked, over }: Due): Promise<RunRow> {
  const look = lookAt(working, connectionId, { projectId: null, customerId: null });
  const compared: Kind<{ id: string }> = KINDS[kind];
  const { counted, over: ended } = await examinePage(working, look, run, compared, asked, working.signal);
  const ids = [...asked, ...over].filter((id) => !ended.includes(id));
  await noteSeen({ connectionId, kind, ids }).execute(working.db);
  if (ended.length > 0) await forget({ connectionId, kind, over: ended }).execute(working.db);
  const counts = countsOf(run);
  for (const [name, more] of Object.entries(counted)) counts[name as keyof typeof counts] += more;
  counts.asked += asked.length;
  return { ...run, counts: { ...counts } };
}

async function isCovered({ db }: MirrorDeps): Promise<boolean> {
  const running = await db
    .selectFrom('tollgate.reconciliation_runs')
    .select('id')
    .where('status', 'in', ['queued', 'running'])
    .where('trigger', '<>', 'continuous')
    .where('project_id', 'is', null)
    .executeTakeFirst();
  return running !== undefined;
}

/** What has waited longest, by connection and kind. */
async function longestUnseen({ db, connections }: MirrorDeps): Promise<Due[]> {
  const { rows } = await sql<{
    connection_id: string;
    object_type: KindName;
    object_id: string;
    status: string | null;
  }>`
    select seen.connection_id, seen.object_type, seen.object_id, min(fact.body->>'status') as status
      from (select * from tollgate.reconciliation_seen
             where seen_at < now() - ${REST}::interval and connection_id = any(${[...connections.ids()]})
             order by seen_at limit ${BUDGET}) seen
      left join tollgate.facts fact
        on seen.object_type = 'subscription' and fact.kind = 'subscription' and fact.object_id = seen.object_id
     group by 1, 2, 3`.execute(db);
  const grouped = Map.groupBy(rows, ({ connection_id, object_type }) => `${connection_id} ${object_type}`);
  return [...grouped.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const isOver = ({ status }: { status: string | null }) => status !== null && hasEnded(status);
    return [
      {
        connectionId: first.connection_id,
        kind: first.object_type,
        asked: group.filter((row) => !isOver(row)).map((row) => row.object_id),
        over: group.filter(isOver).map((row) => row.object_id),
      },
    ];
  });
}

/** A run that nobody started: one that a process left behind when it died is gone on with. */
async function begin({ db, clock }: MirrorDeps): Promise<RunRow> {
  const left = await db
    .selectFrom('tollgate.reconciliation_runs')
    .selectAll()
    .where('trigger', '=', 'continuous')
    .where('status', '=', 'running')
    .orderBy('id')
    .executeTakeFirst();
  if (left !== undefined) return left;
  const now = new Date(clock.now());
  return await db
    .insertInto('tollgate.reconciliation_runs')
    .values({
      id: newId('run'),
      status: 'running',
      trigger: 'continuous',
      counts: '{}',
      created_at: now,
      started_at: now,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** Only one that found something is worth keeping. */
async function end(deps: MirrorDeps, run: RunRow): Promise<void> {
  const { db } = deps;
  const found = await db
    .selectFrom('tollgate.drifts')
    .select('id')
    .where('run_id', '=', run.id)
    .limit(1)
    .executeTakeFirst();
  if (found === undefined) {
    await db.deleteFrom('tollgate.reconciliation_runs').where('id', '=', run.id).execute();
    return;
  }
  await db
    .updateTable('tollgate.reconciliation_runs')
    .set({ counts: JSON.stringify(countsOf(run)) })
    .where('id', '=', run.id)
    .execute();
  await completeRun(deps, run);
}
