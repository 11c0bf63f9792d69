import { declineWords } from '../billing/cards.ts';
import { attempt } from '../billing/payments.ts';
import { refusal } from '../billing/refusal.ts';
import { invalidRequest } from '../errors.ts';
import { emit } from '../events.ts';
import { bare } from '../expand.ts';
import type { PaymentIntent, PaymentMethod } from '../model.ts';
import type { Params } from '../params.ts';
import type { World } from '../world.ts';
import type { confirmFields } from './payment-intent-params.ts';
import { giveMethod, resolveMethod } from './payment-methods.ts';

/** The refusal of what cannot be done to a payment intent that stands as this one does. */
export function unexpectedState(intent: PaymentIntent, what: string): Error {
  return invalidRequest(`You cannot ${what} this PaymentIntent because it has a status of ${intent.status}.`, {
    code: 'payment_intent_unexpected_state',
  });
}

/**
 * Tries to pay, as the shop or its customer asks for.
 * @throws StripeError when that cannot be asked of it now, or the payment is declined
 */
export function confirmIntent(
  world: World,
  intent: PaymentIntent,
  given: Pick<
    Params<typeof confirmFields>,
    'error_on_requires_action' | 'off_session' | 'payment_method' | 'return_url'
  >,
): PaymentIntent {
  if (!['requires_confirmation', 'requires_payment_method', 'requires_action'].includes(intent.status)) {
    throw unexpectedState(intent, 'confirm');
  }
  const id = given.payment_method ?? intent.payment_method;
  if (id === null) {
    throw invalidRequest(
      "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a payment method or ConfirmationToken.",
      { code: 'payment_intent_unexpected_state' },
    );
  }
  const method = resolveMethod(world, id, 'payment_method');
  const outcome = attempt(world, intent, method, given.off_session !== true);
  if (outcome.status === 'failed') throw refusal(outcome, intent);
  if (outcome.status === 'requires_action') {
    if (given.error_on_requires_action === true || given.off_session === true)
      throw unauthenticated(world, intent, method);
    if (intent.next_action !== null) intent.next_action.redirect_to_url.return_url = given.return_url ?? null;
    return intent;
  }
  const customer = intent.customer === null ? undefined : world.store.get('customer', intent.customer);
  if (intent.setup_future_usage !== null && customer !== undefined) giveMethod(world, method, customer);
  return intent;
}

/** Nobody is there to confirm with the bank: the payment counts as declined. */
function unauthenticated(world: World, intent: PaymentIntent, method: PaymentMethod): Error {
  const { code, message } = declineWords('authentication_required');
  intent.status = 'requires_payment_method';
  intent.next_action = null;
  intent.payment_method = null;
  intent.last_payment_error = {
    code,
    decline_code: 'authentication_required',
    doc_url: 'https://stripe.com/docs/error-codes/authentication-required',
    message,
    payment_method: bare(method),
    type: 'card_error',
  };
  emit(world, 'payment_intent.payment_failed', intent);
  return refusal(
    { status: 'failed', declineCode: 'authentication_required', error: intent.last_payment_error },
    intent,
  );
}
