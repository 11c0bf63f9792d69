import type { Fact, SubscriptionFact } from '@tollgate/core';
import { loadFacts } from '../facts/load-facts.ts';
import type { Queryable } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';
import { hasEnded } from './ended.ts';

/**
 * Refuses a second subscription to a product: people pay twice where two tabs are open, and upgrades go through the
 * portal.
 * @param input.products - those that would be subscribed to
 * @throws TollgateError `already_subscribed`, with the `subscription_id` that stands in the way
 */
export async function refuseSubscribed(
  db: Queryable,
  { customerId, products }: { customerId: string; products: readonly string[] },
): Promise<void> {
  if (products.length === 0) return;
  const standing = subscriptionTo(await loadFacts(db, customerId), products);
  if (standing === undefined) return;
  const detail =
    'The customer has a subscription to this product. Change it in the portal (POST /api/v1/portal/sessions), or send allow_multiple.';
  throw new TollgateError('already_subscribed', detail, [], { subscription_id: standing.id });
}

/** A subscription to one of the products that has not ended. */
export function subscriptionTo(facts: readonly Fact[], products: readonly string[]): SubscriptionFact | undefined {
  return facts.find(
    (fact): fact is SubscriptionFact =>
      fact.kind === 'subscription' &&
      !hasEnded(fact) &&
      fact.items.some(({ productId }) => products.includes(productId)),
  );
}
