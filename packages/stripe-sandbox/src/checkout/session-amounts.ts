import { amountFor } from '../billing/amounts.ts';
import { amountOff } from '../billing/discounts.ts';
import type { Coupon, LineItem } from '../model.ts';

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
