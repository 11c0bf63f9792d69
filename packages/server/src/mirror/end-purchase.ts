import { lockCustomer } from '../customers/lock.ts';
import type { Cause } from '../facts/cause.ts';
import type { Tx } from '../platform/database.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import { refuseLossInLiveMode } from '../stripe/never-deleted.ts';
import { currentFact } from './current-fact.ts';
import { saveOwned } from './save-owned.ts';
import type { Fetch } from './sequence.ts';
import type { SyncResult } from './types.ts';

/**
 * Stripe has the payment no more (test data that was deleted): what it bought ends, its history stays.
 * @param id - the purchase's business key
 * @throws TollgateError `stripe_refused` in live mode
 */
export async function endPurchase(
  tx: Tx,
  connection: StripeConnection,
  id: string,
  fetch: Fetch,
  cause: Cause,
): Promise<SyncResult> {
  const known = await currentFact(tx, fetch.connectionId, 'purchase', id);
  if (known === undefined) {
    return { status: 'ignored', reason: 'missing_in_stripe', projectId: null, customerId: null };
  }
  if (known.fact.status !== 'failed') refuseLossInLiveMode(connection, id);
  const { projectId, customerId } = known;
  await lockCustomer(tx, customerId);
  return await saveOwned(tx, { projectId, customerId, fact: { ...known.fact, status: 'failed' }, fetch, cause });
}
