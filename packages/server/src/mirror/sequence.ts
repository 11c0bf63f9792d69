import type { Database, Tx } from '../platform/database.ts';
import { type Parking, settleParking } from './parked-object.ts';
import type { SyncResult } from './types.ts';

/**
 * The object's next number, to be taken *before* it is fetched: of two fetches, the one that began later has seen the
 * newer state, whichever ends first. Committed at once, so that nobody else gets the same.
 */
export async function takeNumber(db: Database, connectionId: string, objectId: string): Promise<number> {
  const { issued } = await db
    .insertInto('tollgate.object_sequences')
    .values({ connection_id: connectionId, object_id: objectId, issued: 1, applied: 0 })
    .onConflict((conflict) =>
      conflict
        .columns(['connection_id', 'object_id'])
        .doUpdateSet((set) => ({ issued: set('tollgate.object_sequences.issued', '+', 1) })),
    )
    .returning('issued')
    .executeTakeFirstOrThrow();
  return issued;
}

/**
 * Waits for whoever saves one of the objects, and keeps others from it until the transaction ends: whose they are cannot
 * change meanwhile. Before any customer is locked.
 */
export async function holdObjects(tx: Tx, connectionId: string, objectIds: readonly string[]): Promise<void> {
  if (objectIds.length === 0) return;
  await numbersOf(tx, connectionId, objectIds).forShare().execute();
}

function numbersOf(tx: Tx, connectionId: string, objectIds: readonly string[]) {
  return tx
    .selectFrom('tollgate.object_sequences')
    .select('object_id')
    .where('connection_id', '=', connectionId)
    .where('object_id', 'in', objectIds)
    .orderBy('object_id');
}

/** One fetch of one object. */
export interface Fetch {
  connectionId: string;
  objectId: string;
  /** The number that it was given. */
  sequence: number;
  /** Epoch milliseconds, when its result is recorded. */
  now: number;
  /** What to write down if nobody can be found for it; null where that is not asked. */
  parking: Parking | null;
}

const STALE: SyncResult = { status: 'stale', reason: null, projectId: null, customerId: null };

/**
 * Applies what was fetched in one transaction, one at a time for the object, unless a later fetch was applied already.
 * A result that nobody can own (`ignored`, `parked`) uses up no number: an earlier fetch may still be applied. What is
 * parked is written down with its reason, and settled once it is anybody's.
 * @param apply - saves; may not call Stripe
 * @param alongside - fetches of other objects that `apply` applies too (`applyIn`): their rows are locked first
 */
export async function applyInOrder(
  db: Database,
  fetch: Fetch,
  apply: (tx: Tx) => Promise<SyncResult>,
  alongside: readonly Fetch[] = [],
): Promise<SyncResult> {
  return await db.transaction().execute(async (tx) => {
    const ids = alongside.map(({ objectId }) => objectId);
    if (ids.length > 0) await numbersOf(tx, fetch.connectionId, ids).forUpdate().execute();
    return await applyIn(tx, fetch, apply);
  });
}

/** The same for one of the objects that are saved in one transaction. */
export async function applyIn(tx: Tx, fetch: Fetch, apply: (tx: Tx) => Promise<SyncResult>): Promise<SyncResult> {
  const row = tx
    .selectFrom('tollgate.object_sequences')
    .where('connection_id', '=', fetch.connectionId)
    .where('object_id', '=', fetch.objectId);
  const { applied } = await row.select('applied').forUpdate().executeTakeFirstOrThrow();
  if (fetch.sequence <= applied) return STALE;
  const outcome = await apply(tx);
  const { parking } = fetch;
  const result = parking === null ? outcome : await settleParking(tx, { ...fetch, parking }, outcome);
  if (result.status === 'applied' || result.status === 'unchanged') {
    await tx
      .updateTable('tollgate.object_sequences')
      .set({ applied: fetch.sequence, applied_at: new Date(fetch.now) })
      .where('connection_id', '=', fetch.connectionId)
      .where('object_id', '=', fetch.objectId)
      .execute();
  }
  return result;
}
