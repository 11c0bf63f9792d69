import { TollgateError } from '../errors.ts';

/** One page of a list, as the API shows it. */
export interface Page<T> {
  object: 'list';
  data: T[];
  has_more: boolean;
  next_cursor: string | null;
}

export const DEFAULT_LIMIT = 20;

/** An opaque cursor for the row after which the next page begins. */
export function encodeCursor(id: string): string {
  return Buffer.from(id, 'utf8').toString('base64url');
}

/**
 * The id within a cursor of ours.
 * @throws TollgateError `invalid_request` for anything that we did not hand out
 */
export function decodeCursor(cursor: string): string {
  const id = Buffer.from(cursor, 'base64url').toString('utf8');
  if (id === '' || encodeCursor(id) !== cursor || id.includes('\0')) {
    throw new TollgateError(
      'invalid_request',
      'The cursor is not valid. Send next_cursor of the page before as it came.',
      [{ path: 'cursor', message: 'is not a cursor of this API' }],
    );
  }
  return id;
}

/**
 * Makes a page out of rows that were selected with `limit + 1`: the one too many says that there is more.
 * @param rows - at most `limit + 1`, in the list's order
 * @param limit - of the request; default 20
 * @param idOf - what the next page starts after
 */
export function page<Row>(rows: readonly Row[], limit: number | undefined, idOf: (row: Row) => string): Page<Row> {
  const size = limit ?? DEFAULT_LIMIT;
  const data = rows.slice(0, size);
  const last = data.at(-1);
  const hasMore = rows.length > size;
  return {
    object: 'list',
    data,
    has_more: hasMore,
    next_cursor: hasMore && last !== undefined ? encodeCursor(idOf(last)) : null,
  };
}

/** 9999-12-31T23:59:59.999Z: beyond what can be stored, PostgreSQL refuses the whole query. */
const LAST_INSTANT = 253_402_300_799_999;

/** Where a list in order of time goes on: the moment of the last row, and the ids that tell it from others of then. */
export interface Place {
  at: Date;
  ids: string[];
}

/** The place as text, for `page`. */
export function placeOf({ at, ids }: Place): string {
  return JSON.stringify([at.getTime(), ...ids]);
}

/**
 * The place that a cursor of such a list stands for.
 * @param idCount - how many ids the list's places have
 * @throws TollgateError `invalid_request` for the cursor of another list, and for anything that we did not hand out
 */
export function placeIn(cursor: string, idCount: number): Place {
  try {
    const [at, ...ids] = JSON.parse(decodeCursor(cursor));
    const isMoment = Number.isSafeInteger(at) && at >= 0 && at <= LAST_INSTANT;
    if (isMoment && ids.length === idCount && ids.every((id: unknown) => typeof id === 'string')) {
      return { at: new Date(at), ids };
    }
  } catch {
    // Not one of ours either.
  }
  throw new TollgateError('invalid_request', 'The cursor is not one of this list. Send next_cursor as it came.', [
    { path: 'cursor', message: 'is not a cursor of this list' },
  ]);
}
