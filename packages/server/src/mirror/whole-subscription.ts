import type { Stripe } from '../stripe/types.ts';

/** Whether a list shows all of a subscription that its fact is made of, so that completing it costs no call. */
export function isWhole({ status, items, customer, latest_invoice: latest }: Stripe.Subscription): boolean {
  return (
    (status === 'active' || status === 'trialing' || status === 'canceled') &&
    typeof customer !== 'string' &&
    !items.has_more &&
    (typeof latest === 'string' || latest?.payments?.has_more !== true) &&
    items.data.every(({ price, discounts }) => price.billing_scheme === 'per_unit' && discounts.length === 0)
  );
}
