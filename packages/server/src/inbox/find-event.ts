import type { Queryable } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';
import type { EventRow } from './views.ts';

export interface EventKey {
  id: string;
  /** Needed only where two connections of one account have both received it. */
  connection?: string | undefined;
}

/**
 * @param options.lock - holds it until the end of the transaction
 * @throws TollgateError `not_found`, or `invalid_request` when two connections have an event with that id
 */
export async function findEvent(
  db: Queryable,
  { id, connection }: EventKey,
  options: { lock?: boolean } = {},
): Promise<EventRow> {
  let query = db.selectFrom('tollgate.events').selectAll().where('id', '=', id);
  if (connection !== undefined) query = query.where('connection_id', '=', connection);
  if (options.lock) query = query.forUpdate();
  const [event, ...others] = await query.execute();
  if (event === undefined) {
    throw new TollgateError(
      'not_found',
      'The inbox has no such event. Check the id; Stripe may not have delivered it, or it was settled over 90 days ago.',
    );
  }
  if (others.length > 0) {
    const names = [event, ...others].map((row) => row.connection_id).join(', ');
    throw new TollgateError('invalid_request', `Several connections have that event. Say which: ${names}.`, [
      { path: 'connection', message: 'is needed here' },
    ]);
  }
  return event;
}
