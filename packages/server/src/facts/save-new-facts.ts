import type { Tx } from '../platform/database.ts';
import type { FactToSave } from './save-fact.ts';

/**
 * Saves facts of objects that nobody has saved yet, together.
 * @returns the ids of those that were saved; one that somebody has saved meanwhile is left as it is
 */
export async function saveNewFacts(tx: Tx, facts: readonly FactToSave[]): Promise<Set<string>> {
  if (facts.length === 0) return new Set();
  const rows = facts.map(({ projectId, customerId, fact, sequence, cause, recordedAt }) => ({
    fact: {
      project_id: projectId,
      customer_id: customerId,
      kind: fact.kind,
      object_id: fact.id,
      sequence,
      body: JSON.stringify(fact),
      recorded_at: recordedAt,
    },
    cause: JSON.stringify(cause),
  }));
  const created = await tx
    .insertInto('tollgate.facts')
    .values(rows.map(({ fact }) => fact))
    .onConflict((conflict) => conflict.columns(['kind', 'object_id', 'project_id']).doNothing())
    .returning('object_id')
    .execute();
  const saved = new Set(created.map(({ object_id }) => object_id));
  const versions = rows.filter(({ fact }) => saved.has(fact.object_id));
  if (versions.length > 0) {
    await tx
      .insertInto('tollgate.fact_versions')
      .values(versions.map(({ fact, cause }) => ({ ...fact, cause })))
      .execute();
  }
  return saved;
}
