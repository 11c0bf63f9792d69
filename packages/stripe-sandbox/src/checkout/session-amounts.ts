import { amountFor } from '../billing/amounts.ts';
import { amountOff } from '../billing/discounts.ts';
import type { CheckoutSession, Coupon, LineItem } from '../model.ts';
import type { World } from '../world.ts';

/**
 * Works out what each line of a session costs now: one-time prices, and recurring ones when there is no trial, less what
 * the coupons take off.
 */
export function priceLines(
  lines: readonly LineItem[],
  coupons: readonly Coupon[],
  trial: boolean,
): { discount: number; subtotal: number } {
  for (const line of lines) {
    const free = trial && line.price.recurring !== null;
    line.amount_subtotal = free ? 0 : amountFor(line.price, line.quantity);
    line.amount_discount = 0;
    line.amount_total = line.amount_subtotal;
  }
  for (const coupon of coupons) {
    const { products } = coupon.$;
    let left = coupon.amount_off ?? Number.POSITIVE_INFINITY;
    for (const line of lines) {
      if (products.length > 0 && !products.includes(line.price.product)) continue;
      const off = Math.min(left, amountOff(coupon, line.amount_total, line.currency));
      left -= off;
      line.amount_discount += off;
      line.amount_total -= off;
    }
  }
  return {
    discount: lines.reduce((sum, line) => sum + line.amount_discount, 0),
    subtotal: lines.reduce((sum, line) => sum + line.amount_subtotal, 0),
  };
}

/** What takes something off a session's lines. */
export function couponsOf(world: World, session: CheckoutSession): Coupon[] {
  return session.discounts.flatMap(({ coupon, promotion_code }) => {
    const id = coupon ?? (promotion_code && world.store.get('promotion_code', promotion_code)?.promotion.coupon);
    return (id && world.store.get('coupon', id)) || [];
  });
}

/** Works an open session's amounts out again, after its lines or discounts changed. */
export function repriceSession(world: World, session: CheckoutSession): void {
  const { lines, subscription } = session.$;
  const trial = subscription.trialDays !== null || subscription.trialEnd !== null;
  const { discount, subtotal } = priceLines(lines, couponsOf(world, session), trial);
  session.amount_subtotal = subtotal;
  session.amount_total = subtotal - discount;
  session.total_details.amount_discount = discount;
  session.payment_status = session.amount_total === 0 ? 'no_payment_required' : 'unpaid';
}
