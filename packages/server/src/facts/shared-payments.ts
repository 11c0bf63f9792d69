import type { Fact } from '@tollgate/core';
import { sql } from 'kysely';
import type { Queryable } from '../platform/database.ts';

/** A payment that paid for several subscriptions; in the words of its index (`facts_shared`). */
const SHARED = sql`paid.kind = 'invoice_payment'
  and paid.body @? '$.lines[*] ? (@.subscriptionId != $.lines[0].subscriptionId)'`;

/**
 * The payments that paid for subscriptions of the customers and are somebody else's facts: of one that paid for
 * subscriptions of several customers the fact is one customer's, and counts for each.
 */
export async function sharedPayments(
  db: Queryable,
  customerIds: readonly string[],
): Promise<{ customer_id: string; body: Fact }[]> {
  // Mostly there are none at all, and the database has nothing to plan.
  const any = await sql`select from tollgate.facts paid where ${SHARED} limit 1`.execute(db);
  if (any.rows.length === 0) return [];
  const { rows } = await sql<{ customer_id: string; body: Fact }>`
    select distinct own.customer_id, paid.object_id, paid.body
      from tollgate.facts paid
      join tollgate.projects there on there.id = paid.project_id,
           jsonb_array_elements(paid.body -> 'lines') line
      join tollgate.facts own on own.kind = 'subscription' and own.object_id = line ->> 'subscriptionId'
      join tollgate.projects here on here.id = own.project_id
     where ${SHARED} and own.customer_id = any(${customerIds}) and own.customer_id <> paid.customer_id
       and here.connection_id = there.connection_id
     order by paid.object_id`.execute(db);
  return rows;
}
