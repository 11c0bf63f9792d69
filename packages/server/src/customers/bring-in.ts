import { enqueueSync } from '../facts/enqueue-sync.ts';
import type { ObjectRef } from '../facts/object-ref.ts';
import type { Tx } from '../platform/database.ts';
import { enqueue } from '../platform/jobs.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import { askStripe } from '../stripe/refusal.ts';
import { sellsOnce } from '../stripe/sells-once.ts';
import type { Stripe } from '../stripe/types.ts';
import type { CustomerRow } from './find.ts';

/** An object of Stripe's that can give access, as the jobs name it. */
export interface StripeObject {
  type: 'subscription' | 'checkout_session';
  id: string;
  /** What was subscribed to or bought. */
  productIds: readonly string[];
}

/**
 * Everything that a Stripe customer has subscribed to or bought.
 * @throws TollgateError `stripe_unavailable`, `stripe_refused`
 */
export async function objectsOf({ client }: StripeConnection, customer: string): Promise<StripeObject[]> {
  return await askStripe(async () => {
    const objects: StripeObject[] = [];
    for await (const { id, items } of client.subscriptions.list({ customer, status: 'all', limit: 100 })) {
      objects.push({ type: 'subscription', id, productIds: productsOf(items.data) });
    }
    const bought = { customer, status: 'complete' as const, limit: 100, expand: ['data.line_items'] };
    for await (const session of client.checkout.sessions.list(bought)) {
      const { id, line_items: lines } = session;
      if (sellsOnce(session)) objects.push({ type: 'checkout_session', id, productIds: productsOf(lines?.data ?? []) });
    }
    return objects;
  });
}

function productsOf(sold: readonly { price: Stripe.Price | null }[]): string[] {
  return sold.flatMap(({ price }) =>
    price === null ? [] : typeof price.product === 'string' ? price.product : price.product.id,
  );
}

/**
 * Has the Stripe customer and what it has fetched after the commit, and what was told of it looked at again that nobody
 * could be found for.
 * @param customer - with the link
 */
export async function bringIn(tx: Tx, customer: CustomerRow, has: readonly StripeObject[]): Promise<void> {
  const { connection_id: connectionId, stripe_customer_id: objectId } = customer;
  if (objectId === null) return;
  const cause = { type: 'customer', id: customer.id } as const;
  const refs: ObjectRef[] = [{ type: 'customer', id: objectId }, ...has.map(({ type, id }) => ({ type, id }))];
  for (const ref of refs) {
    await enqueueSync(tx, { connectionId, ref, cause });
  }
  await enqueue(tx, 'wake_parked', { connectionId, objectId }, { jobKey: `wake:${connectionId}:${objectId}` });
}
