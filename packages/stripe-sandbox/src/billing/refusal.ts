import { cardError, invalidRequest } from '../errors.ts';
import { bare } from '../expand.ts';
import type { PaymentIntent } from '../model.ts';
import type { CollectionOutcome } from './invoices.ts';

/** The error of a payment that did not go through, as the API answers it. */
export function refusal(
  outcome: Exclude<CollectionOutcome, { status: 'held' | 'paid' | 'processing' }>,
  intent?: PaymentIntent,
): Error {
  if (outcome.status === 'requires_action') {
    return cardError('This payment requires additional user action before it can be completed successfully.', {
      code: 'invoice_payment_intent_requires_action',
    });
  }
  if (outcome.error === null) {
    return invalidRequest('This customer has no attached payment source or default payment method.', {
      code: 'resource_missing',
    });
  }
  const { code, decline_code, message, charge, payment_method } = outcome.error;
  return cardError(message, {
    code,
    ...(decline_code === undefined ? {} : { decline_code }),
    ...(charge === undefined ? {} : { charge }),
    payment_method,
    ...(intent === undefined ? {} : { payment_intent: bare(intent) }),
  });
}
