import Stripe from 'stripe';
import { TollgateError } from '../platform/errors.ts';
import { classifyStripeError, isFromStripe } from './errors.ts';

/**
 * Asks Stripe for something on a caller's behalf; what Stripe refuses becomes a refusal that the caller can act on.
 * @throws TollgateError `stripe_unavailable` (with `retry_after`) or `stripe_refused`; anything that did not come from
 *   Stripe passes through
 */
export async function askStripe<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw refusalOf(error);
  }
}

/** Whether Stripe has no such object (any more). */
export function isMissing(error: unknown): boolean {
  return isFromStripe(error) && classifyStripeError(error).kind === 'missing';
}

/** Whether Stripe does not take the key. */
export function isKeyRefused(error: unknown): boolean {
  return error instanceof Stripe.errors.StripeAuthenticationError;
}

/** The parameter that Stripe complains about; undefined when it names none. */
export function refusedParameter(error: unknown): string | undefined {
  return isFromStripe(error) ? error.param : undefined;
}

/** What a caller is told of something that a call to Stripe threw. */
export function refusalOf(error: unknown): unknown {
  if (!isFromStripe(error)) return error;
  if (isKeyRefused(error)) {
    const detail =
      "Stripe does not take the connection's key. Its operator has to replace it: STRIPE_SECRET_KEY, or PATCH /api/v1/admin/connections/{id}.";
    return new TollgateError('stripe_unavailable', detail, [], { retry_after: 60 });
  }
  const { kind, retryAfterMs } = classifyStripeError(error);
  switch (kind) {
    case 'transient':
      return new TollgateError('stripe_unavailable', 'Stripe cannot be reached now. Try again shortly.', [], {
        retry_after: Math.max(1, Math.ceil((retryAfterMs ?? 1_000) / 1000)),
      });
    case 'missing':
    case 'permanent':
      return new TollgateError('stripe_refused', `Stripe refused this: ${withoutKeys(error.message)}`);
    default:
      return kind satisfies never;
  }
}

/** Stripe quotes parts of a wrong key in its message. */
function withoutKeys(message: string): string {
  return message.replace(/\b(?:sk|rk|pk|whsec)_[A-Za-z0-9_*]+/g, '…');
}
