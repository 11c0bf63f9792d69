import { findCode, redemptionOf } from '../billing/discounts.ts';
import { StripeError } from '../errors.ts';
import type { CheckoutSession, Coupon } from '../model.ts';
import type { World } from '../world.ts';
import { priceLines } from './session-amounts.ts';

/** The coupon that a typed code leads to, if it can be used at the moment. */
function couponOf(world: World, codeId: string): Coupon | null {
  try {
    return redemptionOf(world, { promotion_code: codeId }, 'promotion_code').coupon;
  } catch (error) {
    if (error instanceof StripeError) return null;
    throw error;
  }
}

/** Applies the promotion code that a customer typed, in place of one typed before. @returns whether it is good here */
export function applyCode(world: World, session: CheckoutSession, typed: string): boolean {
  if (session.allow_promotion_codes !== true || session.status !== 'open') return false;
  const code = findCode(world, typed);
  if (code === undefined || (code.customer !== null && code.customer !== session.customer)) return false;
  const coupon = couponOf(world, code.id);
  if (coupon === null) return false;
  const { trialDays, trialEnd } = session.$.subscription;
  const { discount, subtotal } = priceLines(session.$.lines, [coupon], trialDays !== null || trialEnd !== null);
  session.discounts = [{ coupon: null, promotion_code: code.id }];
  session.amount_total = subtotal - discount;
  session.total_details.amount_discount = discount;
  if (session.amount_total === 0) session.payment_status = 'no_payment_required';
  return true;
}
