import { TollgateError } from '../platform/errors.ts';
import { refusalOf } from '../stripe/refusal.ts';

/**
 * Why one object cannot be read, although everything around it works.
 * @returns a sentence for the operator, without secrets
 * @throws the error, when it is not the object's: an outage, a stop, a mistake of ours
 */
export function unreadable(error: unknown): string {
  const refusal = refusalOf(error);
  if (
    refusal instanceof TollgateError &&
    (refusal.code === 'stripe_shape_unexpected' || refusal.code === 'stripe_refused')
  ) {
    return refusal.message;
  }
  throw error;
}
