import { sql } from 'kysely';
import type { Queryable } from '../platform/database.ts';
import { type EventStatus, WAITING } from './statuses.ts';

export interface WaitingEvent {
  id: string;
  status: EventStatus;
  attempts: number;
  /** Whether its own next attempt is due; another event may have made somebody look earlier. */
  due: boolean;
  /** The invoices that it names. */
  invoices: string[];
}

/**
 * The events that a sync of an object which begins now answers for, newest first; dead ones too, since what killed them
 * may be gone. Asked before the fetch: whatever arrives later has a job of its own. No clocks are compared for that.
 */
export async function waitingEvents(db: Queryable, connectionId: string, objectId: string): Promise<WaitingEvent[]> {
  return await db
    .selectFrom('tollgate.events')
    .select([
      'id',
      'status',
      'attempts',
      sql<boolean>`coalesce(next_attempt_at <= now(), false)`.as('due'),
      sql<string[]>`array(select named from unnest(related_ids) named where starts_with(named, 'in_'))`.as('invoices'),
    ])
    .where('connection_id', '=', connectionId)
    .where('object_id', '=', objectId)
    .where('status', 'in', [...WAITING, 'dead'])
    .orderBy('created_at', 'desc')
    .orderBy('received_at', 'desc')
    .execute();
}
