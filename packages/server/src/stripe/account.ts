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
  /** `why`: a sentence. */
  | { status: 'unreachable'; why: string };

const NOT_STRIPE = 'What answers is not the API of Stripe: look at api_base.';

/** Asks whose account a key is of, once. Never throws for what Stripe answers. */
export async function accountOf(client: Stripe, { timeoutMs }: { timeoutMs: number }): Promise<AccountAnswer> {
  try {
    // Where another host is asked, anything may answer.
    const answer: unknown = await client.accounts.retrieveCurrent({}, { timeout: timeoutMs, maxNetworkRetries: 0 });
    const { id } = Object(answer) as { id?: unknown };
    if (typeof id === 'string' && id !== '') return { status: 'known', accountId: id };
    return { status: 'unreachable', why: NOT_STRIPE };
  } catch (error) {
    if (error instanceof Stripe.errors.StripeAuthenticationError) return { status: 'rejected' };
    if (!isFromStripe(error)) throw error;
    if (classifyStripeError(error).kind !== 'transient') return { status: 'untold' };
    const isNotUnderstood = error instanceof Stripe.errors.StripeAPIError && error.statusCode === undefined;
    return { status: 'unreachable', why: isNotUnderstood ? NOT_STRIPE : 'Stripe cannot be reached.' };
  }
}
