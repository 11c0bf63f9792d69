import { enqueueSync } from '../facts/enqueue-sync.ts';
import type { Tx } from '../platform/database.ts';

/**
 * Has an object fetched from Stripe once more after the commit. What Stripe answers to a change may be older than what a
 * webhook has brought meanwhile, and a repeat is answered with the state of the first try: the fetch settles it.
 */
export async function refetchLater(
  tx: Tx,
  connectionId: string,
  ref: { type: 'product' | 'price'; id: string },
): Promise<void> {
  await enqueueSync(tx, { connectionId, ref });
}
