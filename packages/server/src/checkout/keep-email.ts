import { isMissing, refusalOf } from '../stripe/refusal.ts';
import type { CheckoutDeps } from './deps.ts';

/**
 * Keeps the address that the app names for a customer, in Stripe first: when that fails, the next call tries again.
 * Where there is no Stripe customer yet, the one that is created gets it.
 * @param customerId - Tollgate's own `cust_…`
 * @throws TollgateError `stripe_unavailable`, `stripe_refused`
 */
export async function keepEmail(
  { db, clock, connections }: Pick<CheckoutDeps, 'db' | 'clock' | 'connections'>,
  customerId: string,
  email: string,
): Promise<void> {
  const customer = await db
    .selectFrom('tollgate.customers')
    .select(['email', 'stripe_customer_id', 'connection_id'])
    .where('id', '=', customerId)
    .executeTakeFirstOrThrow();
  if (customer.email === email) return;
  if (customer.stripe_customer_id !== null) {
    try {
      await connections.get(customer.connection_id).client.customers.update(customer.stripe_customer_id, { email });
    } catch (error) {
      // Deleted there: the one that takes its place is created with the address.
      if (!isMissing(error)) throw refusalOf(error);
    }
  }
  await db
    .updateTable('tollgate.customers')
    .set({ email, updated_at: new Date(clock.now()) })
    .where('id', '=', customerId)
    .execute();
}
