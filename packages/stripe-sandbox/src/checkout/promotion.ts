import { checkCodes } from '../billing/code-restrictions.ts';
import { findCode, redemptionOf } from '../billing/discounts.ts';
import { StripeError } from '../errors.ts';
import type { CheckoutSession } from '../model.ts';
import type { World } from '../world.ts';
import { repriceSession } from './session-amounts.ts';

/** Whether a code can be used for a session at the moment. */
function isGood(world: World, session: CheckoutSession, codeId: string): boolean {
  try {
    const { customer, amount_subtotal: amount, currency } = session;
    const redemption = redemptionOf(world, { promotion_code: codeId }, 'promotion_code');
    checkCodes(world, [redemption], { customer, amount: amount ?? 0, currency: currency ?? 'usd' });
    return true;
  } catch (error) {
    if (error instanceof StripeError) return false;
    throw error;
  }
}

/** Applies the promotion code that a customer typed, in place of one typed before. @returns whether it is good here */
export function applyCode(world: World, session: CheckoutSession, typed: string): boolean {
  if (session.allow_promotion_codes !== true || session.status !== 'open') return false;
  const code = findCode(world, typed);
  if (code === undefined || !isGood(world, session, code.id)) return false;
  session.discounts = [{ coupon: null, promotion_code: code.id }];
  repriceSession(world, session);
  return true;
}
