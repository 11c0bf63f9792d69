import type { Fact } from '@tollgate/core';
import { recomputeCustomer } from '../entitlements/recompute.ts';
import type { Cause } from '../facts/cause.ts';
import { saveFact } from '../facts/save-fact.ts';
import type { Tx } from '../platform/database.ts';
import type { Fetch } from './sequence.ts';
import type { SyncResult } from './types.ts';

/** Saves a fact for its locked customer, and with it the snapshot that follows. */
export async function saveOwned(
  tx: Tx,
  input: {
    projectId: string;
    customerId: string;
    /** Locked as well: who loses the fact to the customer. */
    displaced?: readonly string[];
    fact: Fact;
    fetch: Fetch;
    cause: Cause;
  },
): Promise<SyncResult> {
  const { projectId, customerId, displaced = [], fact, fetch, cause } = input;
  const recordedAt = new Date(fetch.now);
  if (displaced.length > 0) await removeElsewhere(tx, projectId, fact, displaced);
  const changed = await saveFact(tx, { projectId, customerId, fact, sequence: fetch.sequence, cause, recordedAt });
  if (changed) await recomputeCustomer(tx, { customerId, cause, now: fetch.now });
  for (const loser of displaced) await recomputeCustomer(tx, { customerId: loser, cause, now: fetch.now });
  return { status: changed ? 'applied' : 'unchanged', reason: null, projectId, customerId };
}

/** Within the project the fact moves; in another one it ends to exist, and its versions say that it was there. */
async function removeElsewhere(tx: Tx, projectId: string, fact: Fact, displaced: readonly string[]): Promise<void> {
  await tx
    .deleteFrom('tollgate.facts')
    .where('kind', '=', fact.kind)
    .where('object_id', '=', fact.id)
    .where('customer_id', 'in', displaced)
    .where('project_id', '<>', projectId)
    .execute();
}
