import { TollgateError } from '../platform/errors.ts';
import type { StripeConnection } from './connections.ts';

/**
 * Whether it can be believed that something known is gone because Stripe does not find it. In test mode data can be
 * deleted; in live mode subscriptions and payments never are, and a deleted customer leaves a stub: there the key is of
 * another account, and believing it would end the access of everybody who pays. Where the key was seen to be of the
 * connection's account, Stripe is believed.
 */
export function canLose({ livemode, verifiedAccount }: StripeConnection): boolean {
  return !livemode || Boolean(verifiedAccount);
}

/**
 * Refuses to believe that something known is gone where that cannot be.
 * @param id - of a subscription, payment, checkout session or customer that Stripe had
 * @throws TollgateError `stripe_refused` in live mode
 */
export function refuseLossInLiveMode(connection: StripeConnection, id: string): void {
  if (canLose(connection)) return;
  throw new TollgateError(
    'stripe_refused',
    `Stripe does not find ${id}, and in live mode nothing of its kind is ever deleted. Check that the key of the connection ${connection.id} is of the account that has it.`,
  );
}
