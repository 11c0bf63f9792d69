import type { Database } from '../platform/database.ts';
import { DEFAULT_LIMIT, type Page, page, placeIn, placeOf } from '../platform/http/pages.ts';
import type { EventStatus } from './statuses.ts';
import { eventView } from './views.ts';

export interface EventFilter {
  status?: EventStatus | undefined;
  type?: string | undefined;
  objectId?: string | undefined;
  connection?: string | undefined;
  limit?: number | undefined;
  cursor?: string | undefined;
}

const COLUMNS = [
  'connection_id',
  'id',
  'type',
  'api_version',
  'livemode',
  'object_type',
  'object_id',
  'status',
  'reason',
  'attempts',
  'created_at',
  'received_at',
  'processed_at',
  'last_attempt_at',
  'next_attempt_at',
  'source',
] as const;

/** The inbox, last received first. */
export async function listEvents(db: Database, filter: EventFilter): Promise<Page<ReturnType<typeof eventView>>> {
  const limit = filter.limit ?? DEFAULT_LIMIT;
  let query = db
    .selectFrom('tollgate.events')
    .select(COLUMNS)
    .orderBy('received_at', 'desc')
    .orderBy('id', 'desc')
    .orderBy('connection_id', 'desc')
    .limit(limit + 1);
  if (filter.status !== undefined) query = query.where('status', '=', filter.status);
  if (filter.type !== undefined) query = query.where('type', '=', filter.type);
  if (filter.objectId !== undefined) query = query.where('object_id', '=', filter.objectId);
  if (filter.connection !== undefined) query = query.where('connection_id', '=', filter.connection);
  if (filter.cursor !== undefined) {
    const { at, ids } = placeIn(filter.cursor, 2);
    query = query.where(({ eb, refTuple, tuple }) =>
      eb(refTuple('received_at', 'id', 'connection_id'), '<', tuple(at, ids[0] ?? '', ids[1] ?? '')),
    );
  }
  const rows = await query.execute();
  const found = page(rows, limit, (row) => placeOf({ at: row.received_at, ids: [row.id, row.connection_id] }));
  return { ...found, data: found.data.map(eventView) };
}
