import { evaluate, type Instant, type SubscriptionFact } from '@tollgate/core';
import type { Database, Tx } from '../platform/database.ts';
import { Tally } from './tally.ts';

/** Rows read at once: enough to be quick, few enough that requests get their turn in between. */
const BATCH = 500;

/**
 * The figures of one project, or of every project.
 * @param now - the moment at which "entitled" is asked
 * @param projectId - null: of all
 * @returns a tally for each project that has a customer, by the project's id; all as of one view of the database
 */
export async function measure(db: Database, now: Instant, projectId: string | null): Promise<Map<string, Tally>> {
  const tallies = new Map<string, Tally>();
  const of = (id: string): Tally => {
    const known = tallies.get(id);
    if (known !== undefined) return known;
    const fresh = new Tally();
    tallies.set(id, fresh);
    return fresh;
  };
  await db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (tx) => {
      for (const { project_id, count } of await countCustomers(tx, projectId)) of(project_id).customers(count);
      for await (const { project_id, body } of subscriptions(tx, projectId)) {
        of(project_id).subscription(body as SubscriptionFact);
      }
      for await (const { project_id, body } of snapshots(tx, projectId)) {
        const { features } = evaluate(body, now);
        if (Object.values(features).some(({ entitled }) => entitled)) of(project_id).entitledCustomer();
      }
    });
  return tallies;
}

async function countCustomers(tx: Tx, projectId: string | null) {
  let query = tx
    .selectFrom('tollgate.customers')
    .select((of) => ['project_id', of.fn.countAll<number>().as('count')])
    .groupBy('project_id');
  if (projectId !== null) query = query.where('project_id', '=', projectId);
  return await query.execute();
}

/** In the order of the index, a batch at a time. */
async function* subscriptions(tx: Tx, projectId: string | null) {
  let after: { project: string; object: string } | null = null;
  for (;;) {
    let query = tx
      .selectFrom('tollgate.facts')
      .select(['project_id', 'object_id', 'body'])
      .where('kind', '=', 'subscription')
      .orderBy('project_id')
      .orderBy('kind')
      .orderBy('object_id')
      .limit(BATCH);
    if (projectId !== null) query = query.where('project_id', '=', projectId);
    if (after !== null) {
      const { project, object } = after;
      // The whole index's order, so that each batch begins where the one before ended.
      query = query.where((of) =>
        of(of.refTuple('project_id', 'kind', 'object_id'), '>', of.tuple(project, 'subscription' as const, object)),
      );
    }
    const rows = await query.execute();
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < BATCH) return;
    after = { project: last.project_id, object: last.object_id };
  }
}

async function* snapshots(tx: Tx, projectId: string | null) {
  let after: { project: string; customer: string } | null = null;
  for (;;) {
    let query = tx
      .selectFrom('tollgate.snapshots')
      .select(['project_id', 'external_id', 'body'])
      .orderBy('project_id')
      .orderBy('external_id')
      .limit(BATCH);
    if (projectId !== null) query = query.where('project_id', '=', projectId);
    if (after !== null) {
      const { project, customer } = after;
      query = query.where((of) => of(of.refTuple('project_id', 'external_id'), '>', of.tuple(project, customer)));
    }
    const rows = await query.execute();
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < BATCH) return;
    after = { project: last.project_id, customer: last.external_id };
  }
}
