import { diffSnapshots, evaluate, type FeatureChange, type Instant, type SnapshotBody } from '@tollgate/core';
import type { Selectable } from 'kysely';
import type { Clock } from '../platform/clock.ts';
import type { Database, Tx } from '../platform/database.ts';
import type { Task } from '../platform/jobs.ts';
import type { Schema } from '../schema.ts';
import { announce, type News } from './announce.ts';

/** Customers a transaction. */
const BATCH = 200;

/**
 * The `announce_passed` task: announces what time alone has changed since it ran last, such as a trial that ended. Checks
 * do not need it, since they are evaluated when they are asked; whoever is told by notices does.
 */
export function announcePassedTask(deps: { db: Database; clock: Clock }): Task {
  return async (_payload, { signal }) => {
    while (!signal.aborted && (await announceBatch(deps)) === BATCH);
  };
}

/** @returns how many customers were looked at */
async function announceBatch({ db, clock }: { db: Database; clock: Clock }): Promise<number> {
  return await db.transaction().execute(async (tx) => {
    const now = clock.now();
    // A customer whose row somebody holds is being recomputed, and comes next time if it still has to.
    const customers = await tx
      .selectFrom('tollgate.customers as customer')
      .innerJoin('tollgate.snapshots as snapshot', 'snapshot.customer_id', 'customer.id')
      .where('snapshot.next_change_at', '<=', new Date(now))
      .where((of) =>
        of.exists(
          of
            .selectFrom('tollgate.webhook_endpoints as endpoint')
            .select('endpoint.id')
            .whereRef('endpoint.project_id', '=', 'snapshot.project_id')
            .where('endpoint.deleted_at', 'is', null),
        ),
      )
      .select('customer.id')
      .orderBy('snapshot.next_change_at')
      .limit(BATCH)
      .forUpdate('customer')
      .skipLocked()
      .execute();
    if (customers.length === 0) return 0;
    const passed = await tx
      .selectFrom('tollgate.snapshots')
      .select(['project_id', 'customer_id', 'external_id', 'version', 'body', 'next_change_at'])
      .where(
        'customer_id',
        'in',
        customers.map(({ id }) => id),
      )
      .where('next_change_at', '<=', new Date(now))
      .execute();
    await announcePassed(tx, passed, now);
    return customers.length;
  });
}

/** A current snapshot, with the moment at which time alone changes it next. */
export type PassedSnapshot = Pick<
  Selectable<Schema['tollgate.snapshots']>,
  'project_id' | 'customer_id' | 'external_id' | 'version' | 'body' | 'next_change_at'
>;

/**
 * Announces what time has changed in these snapshots until `now`. Before another version takes a snapshot's place: what
 * the old one's time has changed meanwhile would be told by nobody.
 * @param snapshots - of customers whose rows are locked
 */
export async function announcePassed(tx: Tx, snapshots: readonly PassedSnapshot[], now: Instant): Promise<void> {
  const rounds: News[][] = [];
  for (const row of snapshots) {
    if (row.next_change_at === null || row.next_change_at.getTime() > now) continue;
    const { changes, next } = passedChanges(row.body, row.next_change_at.getTime(), now);
    const about = {
      projectId: row.project_id,
      customerId: row.customer_id,
      externalId: row.external_id,
      version: row.version,
    };
    changes.forEach(({ at, features }, round) => {
      const changedAt = new Date(at);
      const cause = { type: 'time', id: changedAt.toISOString() } as const;
      rounds[round] = [...(rounds[round] ?? []), { ...about, changedAt, cause, changes: features }];
    });
    await moveOn(tx, row.customer_id, next);
  }
  for (const round of rounds) await announce(tx, round);
}

async function moveOn(tx: Tx, customerId: string, next: Instant | null): Promise<void> {
  await tx
    .updateTable('tollgate.snapshots')
    .set({ next_change_at: next === null ? null : new Date(next) })
    .where('customer_id', '=', customerId)
    .execute();
}

/** What changed at each moment from `first` to `now` at which the answer changed, and the next such moment. */
function passedChanges(
  body: SnapshotBody,
  first: Instant,
  now: Instant,
): { changes: { at: Instant; features: FeatureChange[] }[]; next: Instant | null } {
  const changes: { at: Instant; features: FeatureChange[] }[] = [];
  let at: Instant | null = first;
  while (at !== null && at <= now) {
    changes.push({ at, features: diffSnapshots(body, body, at, at - 1) });
    at = evaluate(body, at).nextChangeAt;
  }
  return { changes, next: at };
}
