import type { StripeConnection } from '../stripe/connections.ts';
import { askStripe, isMissing } from '../stripe/refusal.ts';

/** What is changed of a Stripe customer; null takes it away. */
export interface StripeCustomerChange {
  email?: string | null;
  name?: string | null;
  metadata?: Record<string, string>;
}

/**
 * Changes a Stripe customer.
 * @throws TollgateError `stripe_unavailable`, `stripe_refused`
 */
export async function changeInStripe(
  { client }: StripeConnection,
  stripeCustomerId: string,
  change: StripeCustomerChange,
): Promise<void> {
  if (Object.keys(change).length === 0) return;
  const { email, name, metadata } = change;
  await askStripe(async () => {
    try {
      await client.customers.update(stripeCustomerId, {
        ...(email === undefined ? {} : { email: email ?? '' }),
        ...(name === undefined ? {} : { name: name ?? '' }),
        ...(metadata === undefined ? {} : { metadata }),
      });
    } catch (error) {
      // One that was deleted meanwhile has nothing left to change; the next checkout makes another.
      if (!isMissing(error)) throw error;
    }
  });
}
