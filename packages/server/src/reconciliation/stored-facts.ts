import { isDeepStrictEqual } from 'node:util';
import type { Fact } from '@tollgate/core';
import { sql } from 'kysely';
import { canonicalJson } from '../platform/canonical-json.ts';
import type { KindName, Look, StoredFact, Unmet } from './kind.ts';

/** The facts that come from Stripe. */
type FetchedKind = Exclude<Fact['kind'], 'grant'>;

/** Whether two facts say the same; most of them do so to the letter, which is told at a third of the cost. */
export function sameFact(a: Fact, b: Fact): boolean {
  return isDeepStrictEqual(a, b) || canonicalJson(a) === canonicalJson(b);
}

/** What is stored of a subscription, purchase or payment of an invoice of the connection. */
export async function storedFact<K extends FetchedKind>(
  look: Look,
  kind: K,
  id: string,
): Promise<StoredFact<Extract<Fact, { kind: K }>> | undefined> {
  const shelved = look.shelf?.facts?.get(id);
  const [stored] = shelved ?? (await storedFacts(look, kind, [id]));
  return stored as StoredFact<Extract<Fact, { kind: K }>> | undefined;
}

/** The same of many, in one query. */
export async function storedFacts(
  { db, connection }: Look,
  kind: FetchedKind,
  ids: readonly string[],
): Promise<(StoredFact<Fact> & { id: string })[]> {
  const rows = await db
    .selectFrom('tollgate.facts as fact')
    .innerJoin('tollgate.projects as project', 'project.id', 'fact.project_id')
    .where('project.connection_id', '=', connection.id)
    .where('fact.kind', '=', kind)
    .where((of) => of('fact.object_id', '=', of.fn.any(of.val([...ids]))))
    .select(['fact.object_id', 'fact.project_id', 'fact.customer_id', 'fact.body', 'fact.recorded_at'])
    .execute();
  return rows.map((row) => ({
    id: row.object_id,
    projectId: row.project_id,
    customerId: row.customer_id,
    fact: row.body,
    recordedAt: row.recorded_at,
  }));
}

/** The ids of stored facts that the run has not met in Stripe's lists, in order. */
export async function unmetFacts(
  { db, connection, scope }: Look,
  kind: FetchedKind,
  { since, after, limit }: Unmet,
): Promise<string[]> {
  let query = db
    .selectFrom('tollgate.facts as fact')
    .innerJoin('tollgate.projects as project', 'project.id', 'fact.project_id')
    .where('project.connection_id', '=', connection.id)
    .where('fact.kind', '=', kind)
    .where('fact.object_id', '>', after)
    .where(notSeen(connection.id, kind, 'fact.object_id', since))
    .select('fact.object_id')
    .distinct()
    .orderBy('fact.object_id')
    .limit(limit);
  if (scope.projectId !== null) query = query.where('fact.project_id', '=', scope.projectId);
  if (scope.customerId !== null) query = query.where('fact.customer_id', '=', scope.customerId);
  return (await query.execute()).map(({ object_id }) => object_id);
}

/** That an object of this kind, whose id is in `column`, has not been looked at since. */
export function notSeen(connectionId: string, kind: KindName, column: string, since: Date) {
  return sql<boolean>`not exists (
    select from tollgate.reconciliation_seen as seen
     where seen.connection_id = ${connectionId} and seen.object_type = ${kind} and seen.object_id = ${sql.ref(column)}
       and seen.seen_at >= ${since})`;
}
