import type { Stripe } from '../stripe/types.ts';
import { firstPaymentSaid } from './first-payment.ts';

/** Whether a list shows all of a subscription that its fact is made of, so that completing it costs no call. */
export function isWhole(subscription: Stripe.Subscription): boolean {
  const { status, currency, items, discounts, customer, latest_invoice: latest } = subscription;
  return (
    (status === 'active' || status === 'trialing' || status === 'canceled') &&
    typeof customer !== 'string' &&
    discounts.length === 0 &&
    !items.has_more &&
    (typeof latest === 'string' || latest?.payments?.has_more !== true) &&
    firstPaymentSaid(subscription) !== undefined &&
    items.data.every(
      ({ price, discounts: own }) =>
        price.billing_scheme === 'per_unit' && price.currency === currency && own.length === 0,
    )
  );
}
