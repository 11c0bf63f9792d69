import { endPurchase } from './end-purchase.ts';
import { fetchSession, purchaseOfSession } from './fetch-purchase.ts';
import { parkedPurchase, savePurchase } from './save-purchase.ts';
import { applyInOrder, type Fetch, takeNumber } from './sequence.ts';
import type { MirrorDeps, SyncRequest, SyncResult } from './types.ts';

/**
 * What was bought in a session and is kept under the session's id: what cost nothing, and what was bought beside a
 * subscription. It is fetched apart from the session's own state, so its numbers are its own too.
 */
export async function syncSessionPurchase(deps: MirrorDeps, request: SyncRequest): Promise<SyncResult> {
  const { db, clock } = deps;
  const { id } = request.ref;
  const connection = deps.connections.get(request.connectionId);
  const objectId = `${id}:purchase`;
  const sequence = await takeNumber(db, connection.id, objectId);
  const session = await fetchSession(connection, id);
  const purchase = session === null ? null : await purchaseOfSession(connection, session);
  if (session !== null && purchase === null) {
    return { status: 'ignored', reason: 'nothing_bought', projectId: null, customerId: null };
  }
  const parking = { ref: request.ref, cause: request.cause, detail: parkedPurchase(purchase) };
  const fetch: Fetch = { connectionId: connection.id, objectId, sequence, now: clock.now(), parking };
  return await applyInOrder(db, fetch, async (tx) =>
    purchase === null
      ? await endPurchase(tx, connection, id, fetch, request.cause)
      : await savePurchase(tx, connection, purchase, fetch, request),
  );
}
