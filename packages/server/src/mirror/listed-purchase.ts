import type { Stripe } from '../stripe/types.ts';
import type { FetchedPurchase } from './fetch-purchase.ts';
import { parseShape } from './parse-shape.ts';
import { LineItemShape, PaymentIntentShape, RefundShape, SessionShape } from './shapes.ts';

/** What a list of checkout sessions has to expand to say all of a purchase. Four levels are as deep as Stripe goes. */
export const PURCHASE_EXPANSIONS = [
  'data.customer',
  'data.line_items',
  'data.payment_intent.customer',
  'data.payment_intent.latest_charge.refunds',
];

/**
 * A one-off purchase as a list of checkout sessions shows it, without a call of its own.
 * @param disputed - the payment intents about which there is or was a dispute: a list shows none
 * @returns null where something is missing in the list: what has been disputed, what is beyond the tenth of a list inside
 *   it, and the payment of what was bought beside a subscription
 */
export function listedPurchase(listed: Stripe.Checkout.Session, disputed: ReadonlySet<string>): FetchedPurchase | null {
  const { mode, line_items: items, payment_intent: paid } = listed;
  if (mode !== 'payment' || items?.has_more !== false || typeof paid === 'string') return null;
  const session = parseShape(SessionShape, listed, 'checkout session');
  const lines = items.data.map((line) => parseShape(LineItemShape, line, 'line item'));
  const unpaid = { session, lines, intent: null, charge: null, refunds: [], disputes: [] };
  if (paid === null) return unpaid;

  const intent = parseShape(PaymentIntentShape, paid, 'payment intent');
  const charge = paid.latest_charge;
  if (typeof charge === 'string' || disputed.has(intent.id)) return null;
  if (charge === null) return { ...unpaid, intent };
  if (charge.disputed !== false || charge.refunds?.has_more !== false) return null;
  const refunds = charge.refunds.data.map((refund) => parseShape(RefundShape, refund, 'refund'));
  return { ...unpaid, intent, charge, refunds };
}
