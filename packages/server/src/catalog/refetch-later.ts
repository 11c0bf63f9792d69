import type { Tx } from '../platform/database.ts';
import { enqueue } from '../platform/jobs.ts';

/**
 * Has an object fetched from Stripe once more after the commit. What Stripe answers to a change may be older than what a
 * webhook has brought meanwhile, and a repeat is answered with the state of the first try: the fetch settles it.
 */
export async function refetchLater(
  tx: Tx,
  connectionId: string,
  ref: { type: 'product' | 'price'; id: string },
): Promise<void> {
  await enqueue(tx, 'sync_object', { connectionId, ref }, { jobKey: `sync:${connectionId}:${ref.id}` });
}
