import { ensureCustomer } from '../customers/ensure-customer.ts';
import type { CustomerRow } from '../customers/find.ts';
import { lockCustomer } from '../customers/lock.ts';
import type { Tx } from '../platform/database.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import { type AttributionHints, attribute } from './attribute.ts';
import type { SyncResult } from './types.ts';

export interface Owner {
  customer: CustomerRow;
  /** Whether its Stripe customer may be linked to it. */
  proven: boolean;
  /** Locked as well: who has the object now, and loses it to the customer. */
  displaced: readonly string[];
}

/**
 * Whose the object is, locked until the transaction ends; created when the app's own id was never seen.
 * @returns the owner, or the result to give when there is none
 */
export async function lockOwner(
  tx: Tx,
  connection: StripeConnection,
  hints: AttributionHints,
  now: number,
): Promise<Owner | { refused: SyncResult }> {
  const found = await attribute(tx, connection, hints);
  switch (found.status) {
    case 'ours': {
      const { customerId, proven, displaced } = found;
      const locked = new Map<string, CustomerRow>();
      // In one order, so that two who take from each other do not wait in a circle.
      for (const id of [customerId, ...displaced].sort()) locked.set(id, await lockCustomer(tx, id));
      return { customer: locked.get(customerId) as CustomerRow, proven, displaced };
    }
    case 'new_customer': {
      const { projectId, externalId } = found;
      const created = await ensureCustomer(tx, { projectId, externalId, now });
      return { customer: await lockCustomer(tx, created.id), proven: found.proven, displaced: [] };
    }
    case 'ignored':
    case 'parked':
      return { refused: { ...found, projectId: null, customerId: null } };
    default:
      return found satisfies never;
  }
}
