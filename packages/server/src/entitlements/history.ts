import type { FeatureChange } from '@tollgate/core';
import { findCustomer } from '../customers/find.ts';
import type { Cause } from '../facts/cause.ts';
import type { Database } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';
import { DEFAULT_LIMIT, decodeCursor, type Page, page } from '../platform/http/pages.ts';

export interface VersionRecord {
  version: number;
  recordedAt: Date;
  cause: Cause;
  /** What the version changed at the moment of its recording; what it changes later only shows in its windows. */
  changes: readonly FeatureChange[];
}

export interface HistoryQuery {
  projectId: string;
  /** The app's own id. */
  customerId: string;
  limit?: number | undefined;
  cursor?: string | undefined;
}

/** Every version of a customer's snapshot, newest first; none for a customer never seen. */
export async function listVersions(db: Database, query: HistoryQuery): Promise<Page<VersionRecord>> {
  const limit = query.limit ?? DEFAULT_LIMIT;
  const before = query.cursor === undefined ? Number.MAX_SAFE_INTEGER : versionIn(query.cursor);
  const customer = await findCustomer(db, query.projectId, query.customerId);
  if (customer === undefined) return page<VersionRecord>([], limit, () => '');
  const rows = await db
    .selectFrom('tollgate.snapshot_versions')
    .select(['version', 'recorded_at', 'cause', 'changes'])
    .where('customer_id', '=', customer.id)
    .where('version', '<', before)
    .orderBy('version', 'desc')
    .limit(limit + 1)
    .execute();
  const found = page(rows, limit, ({ version }) => String(version));
  return {
    ...found,
    data: found.data.map((row) => ({
      version: row.version,
      recordedAt: row.recorded_at,
      cause: row.cause,
      changes: row.changes as readonly FeatureChange[],
    })),
  };
}

function versionIn(cursor: string): number {
  const text = decodeCursor(cursor);
  if (!/^[1-9]\d{0,14}$/.test(text)) {
    throw new TollgateError('invalid_request', 'The cursor is not one of this list. Send next_cursor as it came.', [
      { path: 'cursor', message: 'is not a cursor of this list' },
    ]);
  }
  return Number(text);
}
