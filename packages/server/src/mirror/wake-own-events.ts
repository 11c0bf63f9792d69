import { wakeParked } from '../catalog/wake-parked.ts';
import type { Tx } from '../platform/database.ts';
import type { SyncRequest } from './types.ts';

/**
 * An object became known: the events about it that wait are looked at again. Not where one of them is the reason for
 * looking, since whoever asked for its sake settles them all.
 */
export async function wakeOwnEvents(tx: Tx, { connectionId, ref, cause, partOf }: SyncRequest): Promise<void> {
  if (cause.type === 'event' && partOf === undefined) return;
  await wakeParked(tx, connectionId, ref.id);
}
