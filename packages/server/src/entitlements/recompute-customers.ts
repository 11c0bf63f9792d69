import { sql } from 'kysely';
import type { Cause } from '../facts/cause.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database, Queryable, Tx } from '../platform/database.ts';
import { newId } from '../platform/ids.ts';
import { enqueue, type Task } from '../platform/jobs.ts';
import { recomputeLocked } from './recompute.ts';
import { type Rules, readRules, waitForReaders } from './rules.ts';

export interface RecomputationRequest {
  projectId: string;
  /** What changed the rules: kept with every version that follows from it. */
  cause: Cause;
}

/**
 * Asks for every customer of a project to be recomputed, after a change of its catalog or policy and in the same
 * transaction: the work begins once that is committed.
 * @returns the id under which `recomputations` tells of the progress (`rec_…`)
 */
export async function requestRecomputation(tx: Tx, { projectId, cause }: RecomputationRequest): Promise<string> {
  const id = newId('rec');
  await tx
    .insertInto('tollgate.recomputations')
    .values({
      id,
      project_id: projectId,
      cause: JSON.stringify(cause),
      status: 'queued',
      created_at: sql<Date>`now()`,
    })
    .execute();
  await enqueueRun(tx, id, projectId);
  return id;
}

/** One project's runs come one after the other, so that they do not wait for each other's locks. */
async function enqueueRun(db: Queryable, id: string, projectId: string): Promise<void> {
  await enqueue(
    db,
    'recompute_customers',
    { recomputation_id: id },
    { jobKey: `recompute:${id}`, queueName: `recompute:${projectId}` },
  );
}

export interface RecomputeCustomersDeps {
  db: Database;
  clock: Clock;
  /** How many customers a transaction takes, and so how long a webhook may wait for one of them. Default 100. */
  batchSize?: number;
}

/**
 * The `recompute_customers` task. Progress commits with each batch: a run that was cut short goes on where it was, and
 * one that the process's end interrupts hands the rest to a new job.
 */
export function recomputeCustomersTask(deps: RecomputeCustomersDeps): Task {
  return async (payload, { signal }) => {
    const { db } = deps;
    const id = recomputationIn(payload);
    const run = await db.selectFrom('tollgate.recomputations').selectAll().where('id', '=', id).executeTakeFirst();
    if (run === undefined || run.status === 'completed') return;
    // Someone may be bringing a first fact of a customer who cannot be seen yet, under the rules as they were.
    await waitForReaders(db, run.project_id);
    await db
      .updateTable('tollgate.recomputations')
      .set({ status: 'running', total: run.total ?? (await countCustomers(db, run.project_id)) })
      .where('id', '=', id)
      .execute();
    let rules: Rules | undefined;
    for (let cursor = run.cursor ?? ''; ; ) {
      if (signal.aborted) {
        await enqueueRun(db, id, run.project_id);
        return;
      }
      const batch = await recomputeBatch(deps, { id, projectId: run.project_id, cause: run.cause, cursor, rules });
      if (batch === undefined) break;
      ({ cursor, rules } = batch);
    }
    await db
      .updateTable('tollgate.recomputations')
      .set({ status: 'completed', finished_at: sql<Date>`now()` })
      .where('id', '=', id)
      .execute();
  };
}

interface Batch {
  id: string;
  projectId: string;
  cause: Cause;
  /** The last customer that is done. */
  cursor: string;
  rules: Rules | undefined;
}

/** @returns where the next batch begins; undefined when there was nobody left */
async function recomputeBatch(
  { db, clock, batchSize }: RecomputeCustomersDeps,
  { id, projectId, cause, cursor, rules: known }: Batch,
): Promise<{ cursor: string; rules: Rules } | undefined> {
  return await db.transaction().execute(async (tx) => {
    const customers = await customersOf(tx, projectId)
      .select(['customer.id', 'customer.external_id'])
      .where('customer.id', '>', cursor)
      .orderBy('customer.id')
      .limit(batchSize ?? 100)
      .forUpdate('customer')
      .execute();
    const last = customers.at(-1);
    if (last === undefined) return undefined;
    const rules = await readRules(tx, projectId, known);
    const results = await recomputeLocked(tx, rules, customers, cause, clock.now());
    const changed = [...results.values()].filter((result) => result.changed).length;
    await tx
      .updateTable('tollgate.recomputations')
      .set((set) => ({
        done: set('done', '+', customers.length),
        changed: set('changed', '+', changed),
        cursor: last.id,
      }))
      .where('id', '=', id)
      .execute();
    return { cursor: last.id, rules };
  });
}

/** Those of whom anything is known; nothing follows for the others, whatever the rules. */
function customersOf(db: Queryable, projectId: string) {
  return db
    .selectFrom('tollgate.customers as customer')
    .where('customer.project_id', '=', projectId)
    .where((where) =>
      where.or([
        where.exists(
          where
            .selectFrom('tollgate.facts as fact')
            .select('fact.customer_id')
            .whereRef('fact.customer_id', '=', 'customer.id'),
        ),
        where.exists(
          where
            .selectFrom('tollgate.snapshots as snapshot')
            .select('snapshot.customer_id')
            .whereRef('snapshot.project_id', '=', 'customer.project_id')
            .whereRef('snapshot.external_id', '=', 'customer.external_id'),
        ),
      ]),
    );
}

async function countCustomers(db: Queryable, projectId: string): Promise<number> {
  const { count } = await customersOf(db, projectId)
    .select((select) => select.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  return count;
}

function recomputationIn(payload: unknown): string {
  if (typeof payload === 'object' && payload !== null && 'recomputation_id' in payload) {
    if (typeof payload.recomputation_id === 'string') return payload.recomputation_id;
  }
  throw new Error('The job names no recomputation.');
}
