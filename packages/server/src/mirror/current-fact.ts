import type { Fact } from '@tollgate/core';
import type { Queryable } from '../platform/database.ts';

/** An object's current fact, and whose it is. */
export interface OwnedFact<K extends Fact['kind']> {
  projectId: string;
  customerId: string;
  fact: Extract<Fact, { kind: K }>;
}

/** What is known of an object of Stripe's; a project of another connection knows nothing of it. */
export async function currentFact<K extends Exclude<Fact['kind'], 'grant'>>(
  db: Queryable,
  connectionId: string,
  kind: K,
  id: string,
): Promise<OwnedFact<K> | undefined> {
  const row = await db
    .selectFrom('tollgate.facts as fact')
    .innerJoin('tollgate.projects as project', 'project.id', 'fact.project_id')
    .where('project.connection_id', '=', connectionId)
    .where('fact.kind', '=', kind)
    .where('fact.object_id', '=', id)
    .select(['fact.project_id', 'fact.customer_id', 'fact.body'])
    .executeTakeFirst();
  if (row === undefined) return undefined;
  return { projectId: row.project_id, customerId: row.customer_id, fact: row.body as OwnedFact<K>['fact'] };
}
