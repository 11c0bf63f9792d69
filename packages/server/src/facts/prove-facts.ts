import type { Fact, FactKind } from '@tollgate/core';
import { sql } from 'kysely';
import type { Queryable, Tx } from '../platform/database.ts';
import type { Cause } from './cause.ts';

/** Where a page of facts begins: after this one; '' for the first. */
export interface FactPlace {
  kind: string;
  objectId: string;
  projectId: string;
}

/** A current fact that is not its own newest version. */
export interface Contradiction {
  kind: FactKind;
  objectId: string;
  projectId: string;
  customerId: string;
  current: Fact;
  /** Null: it has no version at all. */
  newest: { customerId: string; fact: Fact } | null;
}

export interface FactsToProve {
  connectionId: string;
  projectId: string | null;
  customerId: string | null;
  after: FactPlace;
  limit: number;
}

/**
 * Compares a page of current facts with their newest versions, which nothing ever changes: what differs was not written
 * by `saveFact`. The comparison is the database's own; nothing is read but what is wrong.
 * @returns where the next page begins (null after the last one), how many there were, and which are wrong
 */
export async function proveFacts(
  db: Queryable,
  { connectionId, projectId, customerId, after, limit }: FactsToProve,
): Promise<{ last: FactPlace | null; count: number; wrong: Contradiction[] }> {
  const page = sql`
    select fact.* from tollgate.facts fact join tollgate.projects project on project.id = fact.project_id
     where project.connection_id = ${connectionId}
       and (${projectId}::text is null or fact.project_id = ${projectId})
       and (${customerId}::text is null or fact.customer_id = ${customerId})
       and (fact.kind, fact.object_id, fact.project_id) > (${after.kind}, ${after.objectId}, ${after.projectId})
     order by fact.kind, fact.object_id, fact.project_id limit ${limit}`;
  const { rows } = await sql<{
    kind: FactKind;
    object_id: string;
    project_id: string;
    customer_id: string;
    wrong: boolean;
    body: Fact | null;
    version_customer_id: string | null;
    version_body: Fact | null;
  }>`
    select page.kind, page.object_id, page.project_id, page.customer_id, compared.wrong,
           case when compared.wrong then page.body end as body,
           case when compared.wrong then newest.customer_id end as version_customer_id,
           case when compared.wrong then newest.body end as version_body
      from (${page}) page
      left join lateral (
        select version.customer_id, version.body from tollgate.fact_versions version
         where version.kind = page.kind and version.object_id = page.object_id and version.project_id = page.project_id
         order by version.id desc limit 1
      ) newest on true,
      lateral (select newest.body is distinct from page.body or newest.customer_id <> page.customer_id as wrong) compared
     order by page.kind, page.object_id, page.project_id`.execute(db);
  const end = rows.at(-1);
  const last = rows.length < limit || end === undefined ? null : placeOf(end);
  const wrong = rows.flatMap((row) =>
    row.wrong && row.body !== null
      ? [
          {
            kind: row.kind,
            objectId: row.object_id,
            projectId: row.project_id,
            customerId: row.customer_id,
            current: row.body,
            newest:
              row.version_body === null || row.version_customer_id === null
                ? null
                : { customerId: row.version_customer_id, fact: row.version_body },
          },
        ]
      : [],
  );
  return { last, count: rows.length, wrong };
}

function placeOf(row: { kind: string; object_id: string; project_id: string }): FactPlace {
  return { kind: row.kind, objectId: row.object_id, projectId: row.project_id };
}

/**
 * Ends a contradiction, with the customer locked. A state of Stripe's that has just been found to be right becomes a
 * version of its own. A grant, which only Tollgate knows, becomes again what its newest version says.
 * @returns false when there is none any more
 */
export async function endContradiction(
  tx: Tx,
  { kind, objectId, projectId }: Pick<Contradiction, 'kind' | 'objectId' | 'projectId'>,
  { cause, recordedAt }: { cause: Cause; recordedAt: Date },
): Promise<boolean> {
  const own = sql`kind = ${kind} and object_id = ${objectId} and project_id = ${projectId}`;
  const newest = sql`(select customer_id, body from tollgate.fact_versions where ${own} order by id desc limit 1)`;
  const differs = sql`(select body from ${newest} newest) is distinct from fact.body
    or (select customer_id from ${newest} newest) is distinct from fact.customer_id`;
  if (kind === 'grant') {
    const restored = await sql`update tollgate.facts fact set body = newest.body, customer_id = newest.customer_id
      from ${newest} newest where ${own} and (${differs}) returning fact.object_id`.execute(tx);
    if (restored.rows.length > 0) return true;
  }
  const added = await sql`insert into tollgate.fact_versions
      (project_id, customer_id, kind, object_id, sequence, body, cause, recorded_at)
    select project_id, customer_id, kind, object_id, sequence, body, ${JSON.stringify(cause)}::jsonb, ${recordedAt}
      from tollgate.facts fact where ${own} and (${differs}) returning object_id`.execute(tx);
  return added.rows.length > 0;
}
