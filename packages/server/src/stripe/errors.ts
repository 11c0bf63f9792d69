import Stripe from 'stripe';

export interface StripeFailure {
  /**
   * `transient`: the same call may work later. `missing`: Stripe has no such object (any more). `permanent`: it will
   * fail again until someone changes something.
   */
  kind: 'transient' | 'missing' | 'permanent';
  /** How long Stripe asks to wait. */
  retryAfterMs?: number;
}

/** Whether a call to Stripe threw it: a refusal, an outage, or a broken connection. */
export function isFromStripe(error: unknown): error is Stripe.errors.StripeError {
  return error instanceof Stripe.errors.StripeError;
}

/** What stands behind an error of a call to Stripe. What did not come from Stripe is `permanent`: a mistake of ours. */
export function classifyStripeError(error: unknown): StripeFailure {
  if (!isFromStripe(error)) return { kind: 'permanent' };
  if (error.code === 'resource_missing') return { kind: 'missing' };
  const status = error.statusCode;
  const transient =
    // The connection broke, or there was no answer in time.
    error instanceof Stripe.errors.StripeConnectionError ||
    error instanceof Stripe.errors.StripeRateLimitError ||
    // Not with the same call: but a rotated or restored key makes it work, and nothing must be lost until then.
    error instanceof Stripe.errors.StripeAuthenticationError ||
    status === undefined ||
    status >= 500 ||
    status === 408 ||
    status === 409 ||
    status === 429 ||
    error.code === 'lock_timeout';
  if (!transient) return { kind: 'permanent' };
  const retryAfterMs = retryAfter(error.headers?.['retry-after']);
  return retryAfterMs === null ? { kind: 'transient' } : { kind: 'transient', retryAfterMs };
}

/** `Retry-After` in seconds or as a date; null when it is missing or makes no sense. */
function retryAfter(value: string | undefined): number | null {
  if (value === undefined) return null;
  const seconds = Number(value);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) && ms >= 0 ? ms : null;
}
