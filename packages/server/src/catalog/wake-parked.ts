import type { Tx } from '../platform/database.ts';
import { enqueue } from '../platform/jobs.ts';

/** Events that wait for an object of Stripe's to become known are looked at again after the commit. */
export async function wakeParked(tx: Tx, connectionId: string, objectId: string): Promise<void> {
  await enqueue(tx, 'wake_parked', { connectionId, objectId }, { jobKey: `wake:${connectionId}:${objectId}` });
}
