import type { SubscriptionFact } from '@tollgate/core';
import { sql } from 'kysely';
import { hasEndedForGood } from '../mirror/subscription-fact.ts';
import type { MirrorDeps } from '../mirror/types.ts';
import { eachOf } from '../platform/each-of.ts';
import { TollgateError } from '../platform/errors.ts';
import { newId } from '../platform/ids.ts';
import type { CronEntry, Task } from '../platform/jobs.ts';
import type { RetrySettings } from '../platform/retry-delay.ts';
import { classifyStripeError, isFromStripe } from '../stripe/errors.ts';
import { type Manner, mannerOf, SIDE_BY_SIDE } from '../stripe/manner.ts';
import { createPace } from '../stripe/pace.ts';
import { completeRun } from './end-run.ts';
import { examinePage } from './examine.ts';
import type { KindName, Look } from './kind.ts';
import { KINDS } from './kinds.ts';
import { type Counts, countsOf, forget, noteSeen } from './progress.ts';
import type { RunRow } from './start-run.ts';
import { problemOf } from './through-connections.ts';
import { lookAt, type ReconcileDeps, type Working, workingWith } from './work-step.ts';

/** Once a minute, by one process, behind whatever else there is to do. */
export const CONTINUOUS_SCHEDULE: CronEntry = { task: 'reconcile_continuously', schedule: '* * * * *', alone: true };

/** Objects of each connection that are asked for in one go: some 58,000 a day. */
const BUDGET = 40;
/** Stripe takes 25 calls a second to an endpoint; webhooks and checkouts have most of them. */
const CALLS_PER_SECOND = 4;
/** What fails for longer is asked for again in a minute; an account that is away keeps the others waiting. */
const BRIEFLY: RetrySettings = { maxAttempts: 2, baseMs: 500, capMs: 5_000 };
/** Where Stripe answers for so many of a connection's objects with an error, it is its account that is away. */
const MOST_UNANSWERED = 10;
/** What was looked at so lately is left alone: a small installation is not asked for over and over. */
const REST = '1 hour';

/**
 * The `reconcile_continuously` task: fetches the stored objects that have waited longest to be looked at, a few of each
 * connection each time, and settles what differs as a run of its own, which is there only when something did. A connection
 * that cannot be asked now is left to the next time. While a run of everything is under way there is nothing for it to do.
 * @throws the first error that is no connection's fault, when every connection has had its turn
 */
export function continuousTask(deps: ReconcileDeps, options: Partial<Manner> = {}): Task {
  const manner = mannerOf({ pace: createPace(CALLS_PER_SECOND), retry: BRIEFLY, ...options });
  return async (_payload, { signal }) => {
    if (await isCovered(deps)) return;
    const due = await longestUnseen(deps);
    if (due.length === 0) return;
    const run = await begin(deps);
    const round: Round = { run, counts: countsOf(run), mistakes: [] };
    const working = workingWith(deps, manner, signal);
    // One that is cut short is left as it is, and the next time goes on with it.
    for (const [id, objects] of Map.groupBy(due, ({ connectionId }) => connectionId)) {
      try {
        await lookAgain(working, round, id, objects);
      } catch (error) {
        signal.throwIfAborted();
        if (problemOf(id, error) === null) round.mistakes.push(error);
        deps.log.warn({ err: error, connection: id }, 'A connection cannot be looked at now; the others are');
      }
    }
    await end(deps, { ...run, counts: { ...round.counts } });
    if (round.mistakes.length > 0) throw round.mistakes[0];
  };
}

/** What comes of looking at some objects of each connection. */
interface Round {
  run: RunRow;
  counts: Counts;
  /** Errors that are no connection's fault. */
  mistakes: unknown[];
}

interface Due {
  connectionId: string;
  kind: KindName;
  id: string;
  /** Ended for good: nothing about it can change. */
  over: boolean;
}

/**
 * Looks at some objects of one connection. Each is noted when it has been looked at; and when it alone fails, so that it
 * does not keep the others the oldest.
 * @throws what keeps the connection from being looked at
 */
async function lookAgain(working: Working, round: Round, connectionId: string, objects: readonly Due[]): Promise<void> {
  const { db, log, signal } = working;
  const look = lookAt(working, connectionId, { projectId: null, customerId: null });
  const unanswered: Due[] = [];
  const before = round.counts.asked;
  await eachOf(objects, SIDE_BY_SIDE, async (object) => {
    try {
      await lookAtOne(working, look, round, object);
    } catch (error) {
      signal.throwIfAborted();
      if (problemOf(connectionId, error) === null) {
        round.mistakes.push(error);
        await noteSeen(seenOf(object)).execute(db);
      } else {
        unanswered.push(object);
        if (!isPerhapsItsOwn(error) || unanswered.length === MOST_UNANSWERED) throw error;
      }
      const { kind, id } = object;
      log.warn({ err: error, connection: connectionId, kind, id }, 'An object cannot be looked at now; the others are');
    }
  });
  // Where nothing was answered it may be the account that is away.
  if (round.counts.asked === before) return;
  for (const object of unanswered) await noteSeen(seenOf(object)).execute(db);
}

async function lookAtOne(working: Working, look: Look, { run, counts }: Round, object: Due): Promise<void> {
  const { db, signal } = working;
  const seen = seenOf(object);
  const { connectionId, kind } = seen;
  if (object.over) {
    await noteSeen(seen).execute(db);
    return;
  }
  const { counted, over } = await examinePage(working, look, run, KINDS[kind], seen.ids, signal);
  await (over.length > 0 ? forget({ connectionId, kind, over }) : noteSeen(seen)).execute(db);
  for (const [name, more] of Object.entries(counted)) counts[name as keyof Counts] += more;
  counts.asked += 1;
}

function seenOf({ connectionId, kind, id }: Due) {
  return { connectionId, kind, ids: [id] };
}

/** Whether it may be the object alone that fails: Stripe has answered, takes the key and has not had enough of us. */
function isPerhapsItsOwn(error: unknown): boolean {
  if (!isFromStripe(error)) return error instanceof TollgateError && error.code === 'stripe_shape_unexpected';
  return (error.statusCode ?? 0) >= 500 || classifyStripeError(error).kind !== 'transient';
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

/** What has waited longest, so much of each connection that none takes the others' turn. */
async function longestUnseen({ db, connections }: MirrorDeps): Promise<Due[]> {
  const { rows } = await sql<{
    connection_id: string;
    object_type: KindName;
    object_id: string;
    subscriptions: SubscriptionFact[] | null;
  }>`
    select seen.connection_id, seen.object_type, seen.object_id,
           (select jsonb_agg(fact.body) from tollgate.facts fact
             where seen.object_type = 'subscription' and fact.kind = 'subscription' and fact.object_id = seen.object_id
           ) as subscriptions
      from unnest(${[...connections.ids()]}::text[]) connection (id)
     cross join lateral (select * from tollgate.reconciliation_seen
                          where connection_id = connection.id and seen_at < now() - ${REST}::interval
                          order by seen_at limit ${BUDGET}) seen`.execute(db);
  return rows.map((row) => ({
    connectionId: row.connection_id,
    kind: row.object_type,
    id: row.object_id,
    over: row.subscriptions?.every(hasEndedForGood) === true,
  }));
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
