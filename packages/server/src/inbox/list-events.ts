import type { Database } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';
import { DEFAULT_LIMIT, decodeCursor, type Page, page } from '../platform/http/pages.ts';
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
    const { receivedAt, id, connectionId } = placeIn(filter.cursor);
    query = query.where(({ eb, refTuple, tuple }) =>
      eb(refTuple('received_at', 'id', 'connection_id'), '<', tuple(receivedAt, id, connectionId)),
    );
  }
  const rows = await query.execute();
  const found = page(rows, limit, (row) => JSON.stringify([row.received_at.getTime(), row.id, row.connection_id]));
  return { ...found, data: found.data.map(eventView) };
}

/** 9999-12-31T23:59:59.999Z: beyond what can be stored, PostgreSQL refuses the whole query. */
const LAST_INSTANT = 253_402_300_799_999;

function placeIn(cursor: string): { receivedAt: Date; id: string; connectionId: string } {
  try {
    const [at, id, connectionId] = JSON.parse(decodeCursor(cursor));
    const isMoment = Number.isSafeInteger(at) && at >= 0 && at <= LAST_INSTANT;
    if (isMoment && typeof id === 'string' && typeof connectionId === 'string') {
      return { receivedAt: new Date(at), id, connectionId };
    }
  } catch {
    // Not one of ours either.
  }
  throw new TollgateError('invalid_request', 'The cursor is not one of this list. Send next_cursor as it came.', [
    { path: 'cursor', message: 'is not a cursor of this list' },
  ]);
}
