import { ensureCustomers } from '../customers/ensure-customers.ts';
import type { Tx } from '../platform/database.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import { type Attribution, type AttributionHints, attributeBy } from './attribute.ts';
import type { ClaimSource } from './claim-source.ts';
import type { Linkable } from './link-listed.ts';
import { loadClaims } from './load-claims.ts';
import type { CustomerShape } from './shapes.ts';

/** An object of a list, with what says whose it is. */
interface Listed {
  /** Who pays for it; of a Stripe customer, itself. */
  customer: CustomerShape;
  hints: AttributionHints;
}

/**
 * Whose objects of a list are now that their numbers are ours: those of one project. Customers are created on first
 * sight, and locked.
 */
export async function ownersOfListed<T extends Listed>(
  tx: Tx,
  connection: StripeConnection,
  projectId: string,
  listed: readonly T[],
  now: number,
): Promise<(Linkable & { listed: T })[]> {
  const hints = listed.map((one) => one.hints);
  const claims = await loadClaims(tx, connection, hints, []);
  const named: { listed: T; externalId: string; proven: boolean }[] = [];
  for (const one of listed) {
    const found = await attributeBy(claims, connection.installation, one.hints);
    const externalId = await externalIdOf(claims, projectId, found);
    if (externalId === null) continue;
    named.push({ listed: one, externalId, proven: 'proven' in found && found.proven });
  }
  const externalIds = named.map(({ externalId }) => externalId);
  const rows = await ensureCustomers(tx, { projectId, connectionId: connection.id, externalIds, now });
  return named.flatMap(({ listed: one, externalId, proven }) => {
    const customer = rows.get(externalId);
    return customer === undefined ? [] : [{ listed: one, customer, stripeCustomer: one.customer, proven }];
  });
}

/** The app's own id of the project's customer whose it is; null when it is somebody else's, or nobody's. */
export async function externalIdOf(claims: ClaimSource, projectId: string, found: Attribution): Promise<string | null> {
  if (found.status === 'new_customer') return found.projectId === projectId ? found.externalId : null;
  if (found.status !== 'ours' || found.projectId !== projectId) return null;
  return (await claims.customer(found.customerId))?.external_id ?? null;
}
