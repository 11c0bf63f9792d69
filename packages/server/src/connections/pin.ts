/** Which account a connection is of, once seen, it stays of. Decides only. */
import { TollgateError } from '../platform/errors.ts';
import type { AccountAnswer } from '../stripe/account.ts';

export type Pinned =
  | { status: 'pinned'; accountId: string | null; verified: boolean }
  /** The key is of another account: a sentence that names both. */
  | { status: 'refused'; sentence: string };

/** @param known - the account that the connection was first seen to be of */
export function pin(connectionId: string, known: string | null, answer: AccountAnswer): Pinned {
  if (answer.status !== 'known') return { status: 'pinned', accountId: known, verified: false };
  if (known !== null && known !== answer.accountId) {
    return {
      status: 'refused',
      sentence: `The connection ${connectionId} is of the Stripe account ${known}, and its key is of ${answer.accountId}. With it, what everybody bought would be taken for gone.`,
    };
  }
  return { status: 'pinned', accountId: answer.accountId, verified: true };
}

/**
 * The same for a key that somebody hands in, who can be told.
 * @throws TollgateError `connection_account_mismatch`, `stripe_refused`, `stripe_unavailable`
 */
export function pinOrRefuse(
  connectionId: string,
  known: string | null,
  answer: AccountAnswer,
): { accountId: string | null; verified: boolean } {
  if (answer.status === 'rejected') {
    throw new TollgateError('stripe_refused', 'Stripe does not take this key. Check that it was copied whole.', [
      { path: 'secret_key', message: 'is not taken by Stripe' },
    ]);
  }
  if (answer.status === 'unreachable') {
    throw new TollgateError('stripe_unavailable', `${answer.why} The key was not checked. Try again shortly.`, [], {
      retry_after: 5,
    });
  }
  const pinned = pin(connectionId, known, answer);
  if (pinned.status === 'pinned') return pinned;
  throw new TollgateError(
    'connection_account_mismatch',
    `${pinned.sentence} Take a key of ${known}, or add the other account as a connection of its own.`,
    [{ path: 'secret_key', message: 'is of another Stripe account' }],
  );
}
