import type { SubscriptionFact, SubscriptionItem } from '@tollgate/core';
import { loadFacts } from '../facts/load-facts.ts';
import { hasEnded } from '../mirror/subscription-fact.ts';
import type { Queryable } from '../platform/database.ts';
import { notFound, TollgateError } from '../platform/errors.ts';
import type { Stripe } from '../stripe/types.ts';
import { getOfferedPrice } from './offered-price.ts';

export const PORTAL_FLOWS = [
  'subscription_cancel',
  'subscription_update',
  'subscription_update_confirm',
  'payment_method_update',
] as const;

/** The one thing that the portal is opened for. */
export interface PortalFlow {
  type: (typeof PORTAL_FLOWS)[number];
  /** May be left out by a customer with one subscription. */
  subscription_id?: string | undefined;
  /** What to switch to, for `subscription_update_confirm`. */
  price?: string | undefined;
}

/**
 * A flow in Stripe's words. Subscription and price have to be the customer's and the project's own: Stripe would take
 * any of the account.
 * @param input.customerId - Tollgate's own `cust_…`
 * @throws TollgateError `invalid_request`, `not_found` (subscription or price), `price_inactive`, `conflict` (ended)
 */
export async function flowData(
  db: Queryable,
  input: { projectId: string; customerId: string; returnUrl: string; flow: PortalFlow },
): Promise<Stripe.BillingPortal.SessionCreateParams.FlowData> {
  const { projectId, customerId, returnUrl, flow } = input;
  const { type } = flow;
  const after_completion = { type: 'redirect' as const, redirect: { return_url: returnUrl } };
  if (type !== 'subscription_update_confirm') refuse(flow.price, 'flow.price', type);
  if (type === 'payment_method_update') {
    refuse(flow.subscription_id, 'flow.subscription_id', type);
    return { type, after_completion };
  }
  const subscription = await standingSubscription(db, customerId, flow.subscription_id);
  switch (type) {
    case 'subscription_cancel':
      return { type, after_completion, subscription_cancel: { subscription: subscription.id } };
    case 'subscription_update':
      return { type, after_completion, subscription_update: { subscription: subscription.id } };
    case 'subscription_update_confirm': {
      const items = [await switched(db, projectId, subscription, flow.price)];
      return { type, after_completion, subscription_update_confirm: { subscription: subscription.id, items } };
    }
    default:
      return type satisfies never;
  }
}

/** The named subscription, or the only one. */
async function standingSubscription(db: Queryable, customerId: string, id?: string): Promise<SubscriptionFact> {
  const all = (await loadFacts(db, customerId)).filter((fact) => fact.kind === 'subscription');
  const standing = all.filter((subscription) => !hasEnded(subscription.status));
  const [found, another] = id === undefined ? standing : all.filter((subscription) => subscription.id === id);
  if (found === undefined) throw notFound('subscription');
  if (another !== undefined) {
    throw invalid('flow.subscription_id', 'is required: the customer has several subscriptions');
  }
  if (hasEnded(found.status)) {
    const detail = `The subscription ${found.id} has ended. Sell a new one with POST /api/v1/checkout/sessions.`;
    throw new TollgateError('conflict', detail, [{ path: 'flow.subscription_id', message: 'has ended' }]);
  }
  return found;
}

async function switched(db: Queryable, projectId: string, subscription: SubscriptionFact, priceId?: string) {
  if (priceId === undefined) throw invalid('flow.price', 'is required for subscription_update_confirm');
  const price = await getOfferedPrice(db, projectId, { id: priceId }, 'flow.price');
  if (price.recurring_interval === null || price.usage_type === 'metered') {
    throw invalid('flow.price', 'must be a recurring price that is not metered');
  }
  const item = itemToSwitch(subscription.items, price.product_id);
  return { id: item.id, price: price.id, quantity: item.quantity ?? 1 };
}

/** The only item, or the one of the same product. */
function itemToSwitch(items: readonly SubscriptionItem[], productId: string): SubscriptionItem {
  const candidates = items.length === 1 ? items : items.filter((item) => item.productId === productId);
  const [item, another] = candidates;
  if (item !== undefined && another === undefined) return item;
  throw invalid('flow.price', 'fits more than one item of the subscription, or none; use subscription_update');
}

function refuse(value: string | undefined, path: string, type: string): void {
  if (value !== undefined) throw invalid(path, `does not belong to the flow ${type}`);
}

function invalid(path: string, message: string): TollgateError {
  return new TollgateError('invalid_request', `In the body, ${path} ${message}.`, [{ path, message }]);
}
