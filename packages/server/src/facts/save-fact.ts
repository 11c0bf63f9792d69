import type { Fact } from '@tollgate/core';
import { canonicalJson } from '../platform/canonical-json.ts';
import type { Tx } from '../platform/database.ts';
import type { Cause } from './cause.ts';

export interface FactToSave {
  projectId: string;
  /** Tollgate's own `cust_…`. */
  customerId: string;
  fact: Fact;
  /** The number that the object's fetch was given; 0 for grants, which are never fetched. */
  sequence: number;
  cause: Cause;
  recordedAt: Date;
}

/**
 * Makes a fact the current one and keeps it among the versions. A state of Stripe's that was fetched before the current
 * one is ignored, and so is one that says the same.
 *
 * A fact that moves from one customer to another counts as changed; the one who had it has to be recomputed too.
 * @returns whether anything changed, and so whether the customer has to be recomputed
 */
export async function saveFact(tx: Tx, input: FactToSave): Promise<boolean> {
  const { projectId, customerId, fact, sequence, recordedAt } = input;
  const body = JSON.stringify(fact);
  const own = tx
    .updateTable('tollgate.facts')
    .where('kind', '=', fact.kind)
    .where('object_id', '=', fact.id)
    .where('project_id', '=', projectId);
  // Of two who save a new object together, one inserts and the other goes round again to compare.
  for (;;) {
    const current = await tx
      .selectFrom('tollgate.facts')
      .select(['customer_id', 'sequence', 'body'])
      .where('kind', '=', fact.kind)
      .where('object_id', '=', fact.id)
      .where('project_id', '=', projectId)
      .forUpdate()
      .executeTakeFirst();
    if (current === undefined) {
      const created = await tx
        .insertInto('tollgate.facts')
        .values({
          project_id: projectId,
          customer_id: customerId,
          kind: fact.kind,
          object_id: fact.id,
          sequence,
          body,
          recorded_at: recordedAt,
        })
        .onConflict((conflict) => conflict.columns(['kind', 'object_id', 'project_id']).doNothing())
        .returning('object_id')
        .executeTakeFirst();
      if (created === undefined) continue;
      break;
    }
    if (fact.kind !== 'grant' && sequence <= current.sequence) return false;
    if (current.customer_id === customerId && canonicalJson(current.body) === canonicalJson(JSON.parse(body))) {
      if (sequence !== current.sequence) await own.set({ sequence }).execute();
      return false;
    }
    await own.set({ customer_id: customerId, sequence, body, recorded_at: recordedAt }).execute();
    break;
  }
  await tx
    .insertInto('tollgate.fact_versions')
    .values({
      project_id: projectId,
      customer_id: customerId,
      kind: fact.kind,
      object_id: fact.id,
      sequence,
      body,
      cause: JSON.stringify(input.cause),
      recorded_at: recordedAt,
    })
    .execute();
  return true;
}
