import type { Fact, SubscriptionFact } from '@tollgate/core';
import type { CustomerRow } from '../customers/find.ts';
import { loadFacts } from '../facts/load-facts.ts';
import { hasEnded } from '../mirror/subscription-fact.ts';
import { syncObject } from '../mirror/sync-object.ts';
import { TollgateError } from '../platform/errors.ts';
import type { CheckoutDeps } from './deps.ts';

/**
 * Refuses a second subscription to a product: people pay twice where two tabs are open, and upgrades go through the
 * portal. Before somebody who wants to buy is sent away, Stripe is asked whether the subscription still stands: the
 * webhook of its end may be late or lost.
 * @param products - those that would be subscribed to
 * @throws TollgateError `already_subscribed`, with the `subscription_id` that stands in the way
 */
export async function refuseSubscribed(
  deps: CheckoutDeps,
  customer: CustomerRow,
  products: readonly string[],
): Promise<void> {
  if (products.length === 0) return;
  const known = standingIn(await loadFacts(deps.db, customer.id), products);
  if (known.length === 0) return;
  for (const { id } of known) await look(deps, customer.connection_id, id);
  const [standing] = standingIn(await loadFacts(deps.db, customer.id), products);
  if (standing === undefined) return;
  const detail =
    'The customer has a subscription to this product. Change it in the portal (POST /api/v1/portal/sessions), or send allow_multiple.';
  throw new TollgateError('already_subscribed', detail, [], { subscription_id: standing.id });
}

/** The subscriptions to one of the products that have not ended. */
function standingIn(facts: readonly Fact[], products: readonly string[]): SubscriptionFact[] {
  return facts.filter(
    (fact): fact is SubscriptionFact =>
      fact.kind === 'subscription' &&
      !hasEnded(fact.status) &&
      fact.items.some(({ productId }) => products.includes(productId)),
  );
}

/** When Stripe cannot say, what is known stands: nobody pays twice because Stripe is down. */
async function look(deps: CheckoutDeps, connectionId: string, id: string): Promise<void> {
  try {
    const ref = { type: 'subscription' as const, id };
    await syncObject(deps, { connectionId, ref, cause: { type: 'checkout', id } });
  } catch (error) {
    deps.log.warn({ err: error, subscription: id }, 'Could not ask whether a subscription still stands');
  }
}
