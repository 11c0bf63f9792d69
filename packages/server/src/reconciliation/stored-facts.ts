import type { Fact } from '@tollgate/core';
import { sql } from 'kysely';
import type { Look } from './kind.ts';

export interface StoredFact<F> {
  projectId: string;
  /** Tollgate's own `cust_…`. */
  customerId: string;
  fact: F;
  recordedAt: Date;
}

/** What is stored of a subscription or purchase of the connection. */
export async function storedFact<K extends 'subscription' | 'purchase'>(
  { db, connection }: Look,
  kind: K,
  id: string,
): Promise<StoredFact<Extract<Fact, { kind: K }>> | undefined> {
  const row = await db
    .selectFrom('tollgate.facts as fact')
    .innerJoin('tollgate.projects as project', 'project.id', 'fact.project_id')
    .where('project.connection_id', '=', connection.id)
    .where('fact.kind', '=', kind)
    .where('fact.object_id', '=', id)
    .select(['fact.project_id', 'fact.customer_id', 'fact.body', 'fact.recorded_at'])
    .executeTakeFirst();
  if (row === undefined) return undefined;
  return {
    projectId: row.project_id,
    customerId: row.customer_id,
    fact: row.body as Extract<Fact, { kind: K }>,
    recordedAt: row.recorded_at,
  };
}

/** The ids of stored facts that the run has not met in Stripe's lists, in order. */
export async function unmetFacts(
  { db, connection, scope }: Look,
  kind: 'subscription' | 'purchase',
  { runId, after, limit }: { runId: string; after: string; limit: number },
): Promise<string[]> {
  let query = db
    .selectFrom('tollgate.facts as fact')
    .innerJoin('tollgate.projects as project', 'project.id', 'fact.project_id')
    .where('project.connection_id', '=', connection.id)
    .where('fact.kind', '=', kind)
    .where('fact.object_id', '>', after)
    .where(notMet({ runId, connectionId: connection.id, kind }, 'fact.object_id'))
    .select('fact.object_id')
    .distinct()
    .orderBy('fact.object_id')
    .limit(limit);
  if (scope.projectId !== null) query = query.where('fact.project_id', '=', scope.projectId);
  if (scope.customerId !== null) query = query.where('fact.customer_id', '=', scope.customerId);
  return (await query.execute()).map(({ object_id }) => object_id);
}

/** That the run has not met an object of this kind and connection, whose id is in `column`. */
export function notMet(
  { runId, connectionId, kind }: { runId: string; connectionId: string; kind: string },
  column: string,
) {
  return sql<boolean>`not exists (
    select from tollgate.reconciliation_seen as seen
     where seen.run_id = ${runId} and seen.connection_id = ${connectionId} and seen.object_type = ${kind} and seen.object_id = ${sql.ref(column)})`;
}
