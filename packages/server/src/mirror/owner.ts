import { ensureCustomer } from '../customers/ensure-customer.ts';
import type { CustomerRow } from '../customers/find.ts';
import { lockCustomer } from '../customers/lock.ts';
import type { Tx } from '../platform/database.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import { type AttributionHints, attribute } from './attribute.ts';
import type { SyncResult } from './types.ts';

/**
 * Whose the object is, locked until the transaction ends; created when the app's own id was never seen.
 * @returns the customer's row and whether its Stripe customer may be linked to it, or the result to give when there is no owner
 */
export async function lockOwner(
  tx: Tx,
  connection: StripeConnection,
  hints: AttributionHints,
  now: number,
): Promise<{ customer: CustomerRow; proven: boolean } | { refused: SyncResult }> {
  const found = await attribute(tx, connection, hints);
  switch (found.status) {
    case 'ours':
      return { customer: await lockCustomer(tx, found.customerId), proven: found.proven };
    case 'new_customer': {
      const { projectId, externalId } = found;
      const created = await ensureCustomer(tx, { projectId, externalId, now });
      return { customer: await lockCustomer(tx, created.id), proven: found.proven };
    }
    case 'ignored':
    case 'parked':
      return { refused: { status: found.status, reason: found.reason, projectId: null, customerId: null } };
    default:
      return found satisfies never;
  }
}
