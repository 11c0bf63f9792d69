import { decide, type Instant, type SnapshotBody, type SubscriptionFact } from '@tollgate/core';
import type { Database, Tx } from '../platform/database.ts';
import { Tally } from './tally.ts';

/** Rows read at once: enough to be quick, few enough that requests get their turn in between. */
const BATCH = 500;

/**
 * The figures of one project, or of every project.
 * @param now - the moment at which "entitled" is asked
 * @param projectId - null: of all
 * @returns a tally for each project, by its id; all as of one view of the database
 */
export async function measure(db: Database, now: Instant, projectId: string | null): Promise<Map<string, Tally>> {
  const tallies = new Map<string, Tally>();
  await db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (tx) => {
      const ids = projectId === null ? await projectIds(tx) : [projectId];
      // One after the other: each is read along its index, and memory stays flat.
      for (const id of ids) tallies.set(id, await tallyOf(tx, id, now));
    });
  return tallies;
}

async function tallyOf(tx: Tx, projectId: string, now: Instant): Promise<Tally> {
  const tally = new Tally();
  tally.customers(await countCustomers(tx, projectId));
  for await (const batch of subscriptions(tx, projectId)) {
    for (const { body } of batch) tally.subscription(body as SubscriptionFact);
  }
  for await (const batch of snapshots(tx, projectId)) {
    for (const { body } of batch) if (isEntitled(body, now)) tally.entitledCustomer();
  }
  return tally;
}

/** To anything at all. */
function isEntitled(body: SnapshotBody, now: Instant): boolean {
  return Object.keys(body.features).some((feature) => decide(body, true, feature, now).entitled);
}

async function projectIds(tx: Tx): Promise<string[]> {
  const rows = await tx.selectFrom('tollgate.projects').select('id').orderBy('id').execute();
  return rows.map(({ id }) => id);
}

async function countCustomers(tx: Tx, projectId: string): Promise<number> {
  const { count } = await tx
    .selectFrom('tollgate.customers')
    .select((of) => of.fn.countAll<number>().as('count'))
    .where('project_id', '=', projectId)
    .executeTakeFirstOrThrow();
  return count;
}

async function* subscriptions(tx: Tx, projectId: string) {
  let after = '';
  for (;;) {
    const rows = await tx
      .selectFrom('tollgate.facts')
      .select(['object_id', 'body'])
      .where('project_id', '=', projectId)
      .where('kind', '=', 'subscription')
      .where('object_id', '>', after)
      .orderBy('object_id')
      .limit(BATCH)
      .execute();
    yield rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < BATCH) return;
    after = last.object_id;
  }
}

async function* snapshots(tx: Tx, projectId: string) {
  let after = '';
  for (;;) {
    const rows = await tx
      .selectFrom('tollgate.snapshots')
      .select(['external_id', 'body'])
      .where('project_id', '=', projectId)
      .where('external_id', '>', after)
      .orderBy('external_id')
      .limit(BATCH)
      .execute();
    yield rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < BATCH) return;
    after = last.external_id;
  }
}
