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
  input: { projectId: string; customerId: string; fact: Fact; fetch: Fetch; cause: Cause },
): Promise<SyncResult> {
  const { projectId, customerId, fact, fetch, cause } = input;
  const recordedAt = new Date(fetch.now);
  const changed = await saveFact(tx, { projectId, customerId, fact, sequence: fetch.sequence, cause, recordedAt });
  if (changed) await recomputeCustomer(tx, { customerId, cause, now: fetch.now });
  return { status: changed ? 'applied' : 'unchanged', reason: null, projectId, customerId };
}
