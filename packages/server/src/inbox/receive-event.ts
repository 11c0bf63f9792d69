import { sql } from 'kysely';
import { addSync } from '../facts/enqueue-sync.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import type { StripeEvent } from '../stripe/webhook-event.ts';
import type { InboxDeps } from './deps.ts';
import { dispatch } from './dispatch.ts';
import { relatedIds } from './related-ids.ts';

/**
 * Stores an event and the job that it calls for, or neither, in one statement: hundreds may come at once. A duplicate waits
 * for the first one's commit, so that whoever gets an answer knows that the event is durable.
 * @param source - `listed`: found in Stripe's own list of events, since it never came
 * @returns false for an event that was stored before
 */
export async function receiveEvent(
  { db, clock }: Pick<InboxDeps, 'db' | 'clock'>,
  connection: StripeConnection,
  event: StripeEvent,
  source: 'webhook' | 'listed' = 'webhook',
): Promise<boolean> {
  const now = new Date(clock.now());
  const todo = dispatch(event, connection);
  const over = todo.status !== 'received';
  const stored = db.with('stored', (inStatement) =>
    inStatement
      .insertInto('tollgate.events')
      .values({
        connection_id: connection.id,
        id: event.id,
        type: event.type,
        api_version: event.apiVersion,
        livemode: event.livemode ?? false,
        object_type: todo.ref?.type ?? null,
        object_id: todo.ref?.id ?? null,
        related_ids: over ? [] : relatedIds(event.object),
        payload: JSON.stringify(event.payload),
        status: todo.status,
        reason: over ? todo.reason : null,
        created_at: event.createdAt === null ? now : new Date(event.createdAt),
        received_at: now,
        processed_at: over ? now : null,
        last_attempt_at: null,
        next_attempt_at: over ? null : sql<Date>`now()`,
        source,
      })
      .onConflict((conflict) => conflict.columns(['connection_id', 'id']).doNothing())
      .returning('id'),
  );
  const cause = { type: 'event', id: event.id } as const;
  const job = over ? sql`null` : addSync({ connectionId: connection.id, ref: todo.ref, cause });
  return (await stored.selectFrom('stored').select(job.as('job')).executeTakeFirst()) !== undefined;
}
