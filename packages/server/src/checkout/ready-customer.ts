import type { CustomerRow } from '../customers/find.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import { refuseLossInLiveMode } from '../stripe/never-deleted.ts';
import { askStripe, isMissing, refusalOf } from '../stripe/refusal.ts';
import type { Stripe } from '../stripe/types.ts';
import type { CheckoutDeps } from './deps.ts';
import { ensureStripeCustomer, forgetStripeCustomer } from './stripe-customer.ts';

/** The second try replaces one that was deleted in Stripe. */
const TRIES = 2;

/**
 * The customer's Stripe customer, which exists and has an address: the one that the app names now, else the one that
 * Stripe has, else the one that the app named before.
 * @param email - what the app names now, also kept for later
 * @returns Stripe's `cus_…`
 * @throws TollgateError `stripe_unavailable`, `stripe_refused`
 */
export async function readyStripeCustomer(
  deps: CheckoutDeps,
  customer: CustomerRow,
  email: string | undefined,
): Promise<string> {
  const { db, clock, connections } = deps;
  const connection = connections.get(customer.connection_id);
  const { id: customerId, project_id: projectId } = customer;
  if (email !== undefined && email !== customer.email) {
    const change = { email, updated_at: new Date(clock.now()) };
    await db.updateTable('tollgate.customers').set(change).where('id', '=', customerId).execute();
  }
  for (let tries = 0; tries < TRIES; tries++) {
    const stripeCustomerId = await ensureStripeCustomer(deps, { projectId, customerId });
    const present = await retrieveCustomer(connection, stripeCustomerId);
    if (present === null) {
      await forgetStripeCustomer(deps, { customerId, stripeCustomerId });
      continue;
    }
    const change = missingFrom(present, { named: email, known: customer });
    if (change !== null) await askStripe(() => connection.client.customers.update(stripeCustomerId, change));
    return stripeCustomerId;
  }
  throw new Error(`The Stripe customer of ${customerId} is deleted as soon as it is made.`);
}

/**
 * A Stripe customer; null for one that is deleted or was never there.
 * @throws TollgateError `stripe_unavailable`, `stripe_refused`; the latter in live mode for one that is not found
 */
async function retrieveCustomer(connection: StripeConnection, id: string): Promise<Stripe.Customer | null> {
  try {
    const found = await connection.client.customers.retrieve(id);
    return found.deleted === true ? null : found;
  } catch (error) {
    if (!isMissing(error)) throw refusalOf(error);
    refuseLossInLiveMode(connection, id);
    return null;
  }
}

/** People may correct their address and name on Stripe's pages: only what the app names now replaces that. */
function missingFrom(
  present: Stripe.Customer,
  { named, known }: { named: string | undefined; known: CustomerRow },
): { email?: string; name?: string } | null {
  const email = named ?? (present.email ? null : known.email);
  const name = present.name ? null : known.name;
  const change = {
    ...(email !== null && email !== present.email ? { email } : {}),
    ...(name !== null ? { name } : {}),
  };
  return Object.keys(change).length > 0 ? change : null;
}
