import { behaviourOf } from '../billing/cards.ts';
import { needsAuthentication } from '../billing/payments.ts';
import { invalidRequest, StripeError } from '../errors.ts';
import { change, emit } from '../events.ts';
import { bare } from '../expand.ts';
import type { SetupIntent } from '../model.ts';
import type { World } from '../world.ts';
import { checkMethod, giveMethod } from './payment-methods.ts';

/** The bank refuses: the intent asks for another payment method. */
function fail(world: World, intent: SetupIntent, error: unknown): unknown {
  if (!(error instanceof StripeError) || error.type !== 'card_error') return error;
  const { code = 'card_declined', decline_code, payment_method } = error.details;
  intent.status = 'requires_payment_method';
  intent.payment_method = null;
  intent.last_setup_error = {
    code,
    ...(decline_code === undefined ? {} : { decline_code }),
    doc_url: `https://stripe.com/docs/error-codes/${code.replaceAll('_', '-')}`,
    message: error.message,
    payment_method,
    type: 'card_error',
  };
  emit(world, 'setup_intent.setup_failed', intent);
  return new StripeError(error.status, error.type, error.message, { ...error.details, setup_intent: bare(intent) });
}

/** Confirms a setup intent: its payment method is checked and given to the customer. */
export function confirmSetup(
  world: World,
  intent: SetupIntent,
  methodId: string | undefined,
  returnUrl?: string,
): SetupIntent {
  const id = methodId ?? intent.payment_method;
  if (id === null || id === undefined) {
    throw invalidRequest('You cannot confirm this SetupIntent because it is missing a payment method.', {
      param: 'payment_method',
    });
  }
  if (intent.status === 'succeeded' || intent.status === 'canceled') {
    throw invalidRequest(`This SetupIntent is already ${intent.status}.`, { code: 'setup_intent_unexpected_state' });
  }
  const customer = intent.customer === null ? null : world.need('customer', intent.customer, 'customer');
  try {
    const method = checkMethod(world, id, customer?.id ?? null, 'payment_method');
    intent.payment_method = method.id;
    if (needsAuthentication(method)) {
      intent.status = 'requires_action';
      intent.next_action = {
        redirect_to_url: { return_url: returnUrl ?? null, url: `${world.baseUrl}/authenticate/${intent.id}` },
        type: 'redirect_to_url',
      };
      emit(world, 'setup_intent.requires_action', intent);
      return intent;
    }
    if (behaviourOf(method.$.number).asksAgain === true) method.$.authenticated = false;
    if (customer !== null) giveMethod(world, method, customer);
  } catch (error) {
    throw fail(world, intent, error);
  }
  intent.status = 'succeeded';
  intent.next_action = null;
  intent.last_setup_error = null;
  emit(world, 'setup_intent.succeeded', intent);
  return intent;
}

/** The bank has answered its customer's question: the setup goes on, or asks for another payment method. */
export function answerSetup(world: World, intent: SetupIntent, confirmed: boolean): void {
  const method = world.need('payment_method', intent.payment_method ?? '');
  if (confirmed) {
    method.$.authenticated = true;
    confirmSetup(world, intent, method.id);
    return;
  }
  const code = 'setup_intent_authentication_failure';
  change(world, intent, 'setup_intent.setup_failed', () => {
    intent.status = 'requires_payment_method';
    intent.payment_method = null;
    intent.next_action = null;
    intent.last_setup_error = {
      code,
      doc_url: `https://stripe.com/docs/error-codes/${code.replaceAll('_', '-')}`,
      message: 'The provided PaymentMethod has failed authentication.',
      type: 'card_error',
    };
  });
}
