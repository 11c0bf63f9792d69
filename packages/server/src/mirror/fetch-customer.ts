import type { StripeConnection } from '../stripe/connections.ts';
import { isMissing } from '../stripe/refusal.ts';
import { parseShape } from './parse-shape.ts';
import { CustomerShape } from './shapes.ts';

/** @returns null when Stripe does not find it; one that was deleted leaves a stub */
export async function fetchCustomer({ client }: StripeConnection, id: string): Promise<CustomerShape | null> {
  try {
    return parseShape(CustomerShape, await client.customers.retrieve(id), 'customer');
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}
