import type { SnapshotBody } from '@tollgate/core';
import type { Cause } from '../facts/cause.ts';
import type { Queryable } from '../platform/database.ts';

/** One version of a customer's snapshot, and what brought it about. */
export interface SnapshotVersion {
  version: number;
  body: SnapshotBody;
  cause: Cause;
  recordedAt: Date;
}

/**
 * The version that was the current one at a moment.
 * @param customerId - Tollgate's own `cust_…`
 * @param knownAt - undefined: the newest there is
 * @returns undefined when nothing was known of the customer yet
 */
export async function findVersion(
  db: Queryable,
  customerId: string,
  knownAt: Date | undefined,
): Promise<SnapshotVersion | undefined> {
  let query = db
    .selectFrom('tollgate.snapshot_versions')
    .select(['version', 'body', 'cause', 'recorded_at'])
    .where('customer_id', '=', customerId)
    .orderBy('version', 'desc')
    .limit(1);
  if (knownAt !== undefined) query = query.where('recorded_at', '<=', knownAt);
  const row = await query.executeTakeFirst();
  return row && { version: row.version, body: row.body, cause: row.cause, recordedAt: row.recorded_at };
}
