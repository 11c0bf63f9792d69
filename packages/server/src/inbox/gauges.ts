import { sql } from 'kysely';
import type { Queryable } from '../platform/database.ts';
import { EVENT_STATUSES, type EventStatus } from './statuses.ts';

export interface InboxGauges {
  counts: Readonly<Record<EventStatus, number>>;
  /** How long the oldest event that was received or failed has waited; 0 when none does. Parked ones do not count. */
  oldestUnprocessedSeconds: number;
}

/** What operators watch. Counts every event there is: ask for it every few seconds, not for every request. */
export async function inboxGauges(db: Queryable, now: number): Promise<InboxGauges> {
  const rows = await db
    .selectFrom('tollgate.events')
    .select(['status', sql<number>`count(*)::int`.as('count'), sql<Date>`min(received_at)`.as('oldest')])
    .groupBy('status')
    .execute();
  const waits = rows.filter(({ status }) => status === 'received' || status === 'failed');
  return {
    counts: Object.fromEntries(
      EVENT_STATUSES.map((status) => [status, rows.find((row) => row.status === status)?.count ?? 0]),
    ) as Record<EventStatus, number>,
    oldestUnprocessedSeconds: Math.max(0, ...waits.map(({ oldest }) => (now - oldest.getTime()) / 1000)),
  };
}
