import type { Customer, CustomerBalanceTransaction } from '../model.ts';
import type { World } from '../world.ts';

/**
 * Notes why a customer's balance changed; the balance itself is the caller's to change.
 *
 * @param amount by how much it changed; below zero: more credit
 * @param endingBalance what it is after that
 */
export function noteBalance(
  world: World,
  customer: Customer,
  given: {
    amount: number;
    endingBalance: number;
    currency: string;
    type: CustomerBalanceTransaction['type'];
    invoice?: string;
    description?: string | undefined;
  },
): CustomerBalanceTransaction {
  return world.store.insert('customer_balance_transaction', {
    id: world.ids.make('cbtxn_'),
    object: 'customer_balance_transaction',
    amount: given.amount,
    checkout_session: null,
    created: world.clock.now(),
    credit_note: null,
    currency: given.currency,
    customer: customer.id,
    customer_account: null,
    description: given.description ?? null,
    ending_balance: given.endingBalance,
    invoice: given.invoice ?? null,
    livemode: false,
    metadata: {},
    type: given.type,
  });
}
