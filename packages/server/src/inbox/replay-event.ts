import { sql } from 'kysely';
import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import { enqueueSync } from '../facts/enqueue-sync.ts';
import { TollgateError } from '../platform/errors.ts';
import { parseEvent } from '../stripe/webhook-event.ts';
import type { InboxDeps } from './deps.ts';
import { dispatch } from './dispatch.ts';
import { type EventKey, findEvent } from './find-event.ts';
import { relatedIds } from './related-ids.ts';
import type { EventRow } from './views.ts';

/**
 * Treats a stored event as if it had just come, whatever became of it: it is judged anew, by this version of Tollgate and
 * the present settings, and its object is synced at once. Since only the object's present state is ever applied, an old
 * event cannot bring an old state back.
 * @throws TollgateError `not_found`; `conflict` when its connection is gone
 */
export async function replayEvent(
  { db, clock, connections }: InboxDeps,
  key: EventKey & { reason?: string | undefined },
  context: AuditContext,
): Promise<EventRow> {
  const now = new Date(clock.now());
  return await db.transaction().execute(async (tx) => {
    const stored = await findEvent(tx, key, { lock: true });
    const connectionId = stored.connection_id;
    if (!connections.ids().includes(connectionId)) {
      throw new TollgateError(
        'conflict',
        `The connection ${connectionId} that it came over is not configured any more.`,
      );
    }
    const event = parseEvent(Buffer.from(JSON.stringify(stored.payload)));
    if (event === null) throw new Error(`The stored event ${stored.id} cannot be read.`);
    const todo = dispatch(event, connections.get(connectionId));
    const over = todo.status !== 'received';
    const replayed = await tx
      .updateTable('tollgate.events')
      .set({
        status: todo.status,
        reason: over ? todo.reason : null,
        object_type: todo.ref?.type ?? null,
        object_id: todo.ref?.id ?? null,
        related_ids: over ? [] : relatedIds(event.object),
        attempts: 0,
        processed_at: over ? now : null,
        next_attempt_at: over ? null : sql<Date>`now()`,
      })
      .where('connection_id', '=', connectionId)
      .where('id', '=', stored.id)
      .returningAll()
      .executeTakeFirstOrThrow();
    if (!over) await enqueueSync(tx, { connectionId, ref: todo.ref, cause: { type: 'event', id: stored.id } });
    await recordAudit(
      tx,
      {
        ...context,
        action: 'event.replayed',
        projectId: null,
        reason: key.reason ?? null,
        detail: { event: stored.id, connection: connectionId, type: stored.type, was: stored.status },
      },
      now.getTime(),
    );
    return replayed;
  });
}
