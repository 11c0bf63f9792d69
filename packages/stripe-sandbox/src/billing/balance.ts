import type { BalanceTransaction } from '../model.ts';
import type { World } from '../world.ts';

const DAYS_UNTIL_AVAILABLE = 2;

/** What Stripe keeps of a card payment: 2.9 % and 30 of the smallest unit. */
function feeOf(amount: number): number {
  return Math.round(amount * 0.029) + 30;
}

/**
 * Books money on the account's balance.
 *
 * @param amount below zero when it leaves
 * @returns the id of the booking
 */
export function book(
  world: World,
  given: { amount: number; currency: string; source: string; type: BalanceTransaction['type'] },
): string {
  const now = world.clock.now();
  const fee = given.type === 'charge' ? feeOf(given.amount) : 0;
  return world.store.insert('balance_transaction', {
    id: world.ids.make('txn_'),
    object: 'balance_transaction',
    amount: given.amount,
    available_on: now + DAYS_UNTIL_AVAILABLE * 86_400,
    balance_type: 'payments',
    created: now,
    currency: given.currency,
    description: null,
    exchange_rate: null,
    fee,
    fee_details:
      fee === 0
        ? []
        : [
            {
              amount: fee,
              application: null,
              currency: given.currency,
              description: 'Stripe processing fees',
              type: 'stripe_fee',
            },
          ],
    net: given.amount - fee,
    reporting_category: given.type,
    source: given.source,
    status: 'pending',
    type: given.type,
  }).id;
}
