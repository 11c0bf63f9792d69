import type { Tx } from '../platform/database.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import type { AttributionHints } from './attribute.ts';
import { markFirstApplied, takeFirstNumbers } from './first-numbers.ts';
import { linkListed } from './link-listed.ts';
import { ownersOfListed } from './owners-of-listed.ts';
import type { CustomerShape } from './shapes.ts';

/** A Stripe customer as Stripe's list shows it, with what says whose it is. */
export interface ListedCustomer {
  customer: CustomerShape;
  hints: AttributionHints;
}

/**
 * Links listed Stripe customers to customers of one project, all together, as `applyListed` does with subscriptions.
 * @returns the ids of those that nobody had looked at yet, and of those among them that are linked now
 */
export async function applyListedCustomers(
  tx: Tx,
  connection: StripeConnection,
  projectId: string,
  listed: readonly ListedCustomer[],
  now: number,
): Promise<{ first: ReadonlySet<string>; linked: ReadonlySet<string> }> {
  const first = await takeFirstNumbers(
    tx,
    connection.id,
    listed.map(({ customer }) => customer.id),
  );
  const fresh = listed.filter(({ customer }) => first.has(customer.id));
  const linked = await linkListed(tx, connection, await ownersOfListed(tx, connection, projectId, fresh, now), now);
  await markFirstApplied(tx, connection.id, [...linked], new Date(now));
  return { first, linked };
}
