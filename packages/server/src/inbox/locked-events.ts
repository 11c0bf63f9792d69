import { type Expression, type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Queryable } from '../platform/database.ts';

/**
 * The ids of a connection's events, to be narrowed and given to an update of several. Whoever changes several of them
 * locks them in this order: two that change the same ones do not come to wait for each other.
 */
export function lockedEvents(db: Queryable, connectionId: string) {
  return db
    .selectFrom('tollgate.events')
    .select('id')
    .where('connection_id', '=', connectionId)
    .orderBy('id')
    .forUpdate();
}

/** Whether an event is one of those that were locked: all of them, before the first is changed, however it is planned. */
export function isAmong(locked: Expression<{ id: string }>): RawBuilder<SqlBool> {
  return sql`id = any(array(${locked}))`;
}
