import type { Stripe } from './types.ts';

/**
 * Whether anything in a listed session is for once: all of it, or something beside a subscription.
 * @param session - with its `line_items` expanded; without them, or with only some, it may be
 */
export function sellsOnce({ mode, line_items: lines }: Stripe.Checkout.Session): boolean {
  if (mode === 'payment') return true;
  if (mode !== 'subscription') return false;
  return lines === undefined || lines.has_more || lines.data.some(({ price }) => (price?.recurring ?? null) === null);
}
