import { TollgateError } from '../platform/errors.ts';
import { withoutSecrets } from '../platform/log.ts';
import { classifyStripeError, isFromStripe } from '../stripe/errors.ts';

export type Failure =
  | { kind: 'again'; reason: string; retryAfterMs: number | undefined }
  | { kind: 'for_good'; reason: string }
  /** Nothing can be written down now: the job itself has to be tried again. */
  | { kind: 'database' };

/** Connections that broke or cannot be had, transactions that lost against others, a server that shuts down. */
const DATABASE_TROUBLE = /^(?:08|40|53|55|57|58)[0-9A-Z]{3}$/;
const MOST_CHARACTERS = 500;
/** Stripe asks for seconds; whoever asks for hours must not stop a connection for as long. */
const LONGEST_PATIENCE_MS = 10 * 60 * 1000;

/** What a failed sync means for the events behind it. */
export function failureOf(error: unknown): Failure {
  if (isDatabaseTrouble(error)) return { kind: 'database' };
  if (error instanceof TollgateError) {
    const reason = sentence(error.code, error.message);
    return error.code === 'stripe_unavailable' || error.code === 'connection_unavailable'
      ? { kind: 'again', reason, retryAfterMs: undefined }
      : { kind: 'for_good', reason };
  }
  if (isFromStripe(error)) {
    const { kind, retryAfterMs } = classifyStripeError(error);
    switch (kind) {
      case 'transient':
        return {
          kind: 'again',
          reason: sentence('stripe_unavailable', error.message),
          retryAfterMs: retryAfterMs === undefined ? undefined : Math.min(retryAfterMs, LONGEST_PATIENCE_MS),
        };
      case 'missing':
      case 'permanent':
        return { kind: 'for_good', reason: sentence('stripe_refused', error.message) };
      default:
        return kind satisfies never;
    }
  }
  // A mistake of ours, or of the moment: the log has it. A new version may well succeed with it, so it is tried again.
  return { kind: 'again', reason: 'internal: an unforeseen error, see the log', retryAfterMs: undefined };
}

function isDatabaseTrouble(error: unknown): boolean {
  if (!(error instanceof Error) || isFromStripe(error)) return false;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return (
    DATABASE_TROUBLE.test(code) ||
    ('syscall' in error && code !== '') ||
    error.message.startsWith('Connection terminated') ||
    error.message.startsWith('timeout exceeded when trying to connect') ||
    error.message.startsWith('Client has encountered a connection error')
  );
}

function sentence(code: string, message: string): string {
  return withoutSecrets(`${code}: ${message}`).slice(0, MOST_CHARACTERS);
}
