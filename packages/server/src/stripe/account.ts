import Stripe from 'stripe';
import { classifyStripeError, isFromStripe } from './errors.ts';

/** What Stripe says about whose a key is. */
export type AccountAnswer =
  /** `acct_…` */
  | { status: 'known'; accountId: string }
  /** The key works and may not tell: a restricted key without the permission to read its account. */
  | { status: 'untold' }
  /** Stripe does not take the key. */
  | { status: 'rejected' }
  | { status: 'unreachable' };

/** Asks whose account a key is of, once. Never throws for what Stripe answers. */
export async function accountOf(client: Stripe, { timeoutMs }: { timeoutMs: number }): Promise<AccountAnswer> {
  try {
    const { id } = await client.accounts.retrieveCurrent({}, { timeout: timeoutMs, maxNetworkRetries: 0 });
    return { status: 'known', accountId: id };
  } catch (error) {
    if (error instanceof Stripe.errors.StripeAuthenticationError) return { status: 'rejected' };
    if (!isFromStripe(error)) throw error;
    return { status: classifyStripeError(error).kind === 'transient' ? 'unreachable' : 'untold' };
  }
}
