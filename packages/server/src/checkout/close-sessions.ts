import type { CustomerRow } from '../customers/find.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import { classifyStripeError } from '../stripe/errors.ts';
import { isMissing, refusalOf } from '../stripe/refusal.ts';
import { readStamps } from '../stripe/stamps.ts';
import type { Stripe } from '../stripe/types.ts';
import type { CheckoutDeps } from './deps.ts';
import { refreshSession } from './refresh-session.ts';
import { markExpired, type SessionRow } from './save-session.ts';

/**
 * Closes every session of the customer that can still be paid, so that two tabs cannot pay twice. One that turns out to
 * be paid is applied; the caller looks again at what the customer has.
 * @throws TollgateError `stripe_unavailable`, `stripe_refused`
 */
export async function closeSessions(
  deps: CheckoutDeps,
  customer: CustomerRow,
  stripeCustomerId: string,
): Promise<void> {
  const known = await deps.db
    .selectFrom('tollgate.checkout_sessions')
    .selectAll()
    .where('customer_id', '=', customer.id)
    .where('status', '=', 'open')
    .orderBy('created_at')
    .execute();
  for (const row of known) await closeKnown(deps, row);
  const connection = deps.connections.get(customer.connection_id);
  for (const session of await strays(connection, customer, stripeCustomerId)) await expire(connection, session.id);
}

async function closeKnown(deps: CheckoutDeps, row: SessionRow): Promise<void> {
  const connection = deps.connections.get(row.connection_id);
  const refusal = await expire(connection, row.id);
  if (refusal === null) {
    await markExpired(deps.db, row, deps.clock.now());
    return;
  }
  // Paid, expired or deleted meanwhile.
  const { status } = await refreshSession(deps, row);
  if (status === 'open') throw refusal;
}

/**
 * @returns null when the session is expired now, else why Stripe did not do it
 * @throws TollgateError `stripe_unavailable`
 */
async function expire({ client }: StripeConnection, id: string): Promise<unknown> {
  try {
    await client.checkout.sessions.expire(id);
    return null;
  } catch (error) {
    if (classifyStripeError(error).kind === 'transient') throw refusalOf(error);
    return refusalOf(error);
  }
}

/** Sessions of ours that Stripe has open and nobody kept: whoever made them died before he could. */
async function strays(
  { client, installation }: StripeConnection,
  customer: CustomerRow,
  stripeCustomerId: string,
): Promise<Stripe.Checkout.Session[]> {
  try {
    const { data } = await client.checkout.sessions.list({ customer: stripeCustomerId, status: 'open', limit: 100 });
    return data.filter(({ metadata }) => {
      const stamp = readStamps(metadata);
      return stamp?.installation === installation && stamp.customerId === customer.id;
    });
  } catch (error) {
    if (isMissing(error)) return [];
    throw refusalOf(error);
  }
}
