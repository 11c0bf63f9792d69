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

/**
 * The subscription that a payment paid for became known: a refund or dispute of it, which names the payment alone, is
 * looked at again. Not where that payment is what somebody looks at just now.
 */
export async function wakePayment(tx: Tx, { connectionId, partOf }: SyncRequest, id: string): Promise<void> {
  if (partOf?.id === id) return;
  await wakeParked(tx, connectionId, id);
}
