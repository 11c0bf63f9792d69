import { invalidRequest } from '../errors.ts';
import type { PromotionCode } from '../model.ts';
import type { World } from '../world.ts';
import type { Redemption } from './discounts.ts';

/** Who redeems a promotion code, and for what. */
export interface Buyer {
  /** Null when it is not known yet. */
  customer: string | null;
  /** What is bought, before discounts, in the smallest unit. */
  amount: number;
  currency: string;
}

function hasPaid(world: World, customer: string): boolean {
  const by = { key: 'customer', value: customer };
  return world.store.all('charge', by).some(({ status }) => status === 'succeeded');
}

/** Why a code cannot be redeemed by somebody; null when it can. */
function whyNot(world: World, { customer, restrictions }: PromotionCode, buyer: Buyer): string | null {
  if (customer !== null && customer !== buyer.customer) {
    return 'This promotion code cannot be redeemed because the associated customer does not match.';
  }
  if (restrictions.first_time_transaction && buyer.customer !== null && hasPaid(world, buyer.customer)) {
    return 'This promotion code cannot be redeemed because the associated customer has prior transactions.';
  }
  const { minimum_amount: least, minimum_amount_currency: currency } = restrictions;
  if (least !== null && (currency !== buyer.currency || buyer.amount < least)) {
    return 'This promotion code cannot be redeemed because the minimum amount has not been reached.';
  }
  return null;
}

/**
 * Refuses codes that are not for this buyer.
 *
 * @throws StripeError saying which restriction holds
 */
export function checkCodes(world: World, redemptions: readonly Redemption[], buyer: Buyer): void {
  redemptions.forEach(({ code }, index) => {
    const why = code === null ? null : whyNot(world, code, buyer);
    if (why !== null) throw invalidRequest(why, { param: `discounts[${index}][promotion_code]` });
  });
}
