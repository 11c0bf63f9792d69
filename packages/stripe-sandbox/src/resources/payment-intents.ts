import { captureIntent } from '../billing/capture.ts';
import { declineWords } from '../billing/cards.ts';
import { attempt, cancelIntent, openIntent } from '../billing/payments.ts';
import { refusal } from '../billing/refusal.ts';
import { invalidRequest } from '../errors.ts';
import { emit } from '../events.ts';
import { bare } from '../expand.ts';
import { listShape, pageOf } from '../lists.ts';
import type { PaymentIntent, PaymentMethod } from '../model.ts';
import {
  amount,
  clearable,
  currencyCode,
  flag,
  ignored,
  list,
  mergeMetadata,
  metadata,
  oneOf,
  optional,
  type Params,
  type Reader,
  range,
  required,
  text,
} from '../params.ts';
import { route } from '../routes.ts';
import type { World } from '../world.ts';
import { shippingOf, shippingReader } from './addresses.ts';
import { giveMethod, resolveMethod } from './payment-methods.ts';

const captureMethod = optional(oneOf('automatic', 'automatic_async', 'manual'));
const setupFutureUsage = optional(clearable(oneOf('off_session', 'on_session')));
/** Taken and without effect here: which methods are offered, and how, does not matter to a payment by the API. */
const withoutEffect = {
  amount_details: optional(ignored),
  excluded_payment_method_types: optional(ignored),
  payment_details: optional(ignored),
  payment_method_configuration: optional(ignored),
  payment_method_options: optional(ignored),
};

const common = {
  ...withoutEffect,
  allowed_payment_method_types: optional(list(text)),
  capture_method: captureMethod,
  description: optional(clearable(text)),
  metadata: optional(metadata),
  payment_method: optional(text),
  payment_method_types: optional(list(text)),
  receipt_email: optional(clearable(text)),
  setup_future_usage: setupFutureUsage,
  shipping: optional(clearable(shippingReader)),
  statement_descriptor: optional(text),
  statement_descriptor_suffix: optional(text),
  transfer_group: optional(text),
};

/** Cards are charged no more than this at once. */
const MOST = 99_999_999;

const payable: Reader<number> = (value, path) => {
  const number = amount(value, path);
  if (number > MOST) {
    throw invalidRequest(`Amount must be no more than ${MOST}, in the smallest currency unit.`, {
      code: 'amount_too_large',
      param: path,
    });
  }
  return number;
};

const createFields = {
  ...common,
  amount: required(payable),
  automatic_payment_methods: optional(ignored),
  confirm: optional(flag),
  confirmation_method: optional(oneOf('automatic', 'manual')),
  currency: required(currencyCode),
  customer: optional(text),
  error_on_requires_action: optional(flag),
  mandate_data: optional(ignored),
  off_session: optional(flag),
  radar_options: optional(ignored),
  return_url: optional(text),
  use_stripe_sdk: optional(flag),
};

const updateFields = { ...common, amount: optional(amount), currency: optional(text), customer: optional(text) };

const confirmFields = {
  ...withoutEffect,
  capture_method: captureMethod,
  error_on_requires_action: optional(flag),
  mandate_data: optional(ignored),
  off_session: optional(flag),
  payment_method: optional(text),
  payment_method_types: optional(list(text)),
  radar_options: optional(ignored),
  receipt_email: optional(clearable(text)),
  return_url: optional(text),
  setup_future_usage: setupFutureUsage,
  shipping: optional(clearable(shippingReader)),
  use_stripe_sdk: optional(flag),
};

function unexpected(intent: PaymentIntent, what: string): Error {
  return invalidRequest(`You cannot ${what} this PaymentIntent because it has a status of ${intent.status}.`, {
    code: 'payment_intent_unexpected_state',
  });
}

function checkAmount(value: number): void {
  if (value < 1) {
    throw invalidRequest('This value must be greater than or equal to 1.', {
      code: 'parameter_invalid_integer',
      param: 'amount',
    });
  }
}

/** Tries to pay, as the shop or its customer asks for. */
function confirm(
  world: World,
  intent: PaymentIntent,
  given: Pick<
    Params<typeof confirmFields>,
    'error_on_requires_action' | 'off_session' | 'payment_method' | 'return_url'
  >,
): PaymentIntent {
  if (!['requires_confirmation', 'requires_payment_method', 'requires_action'].includes(intent.status)) {
    throw unexpected(intent, 'confirm');
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

/** Takes what may be said of a payment until it is made. */
function apply(world: World, intent: PaymentIntent, given: Partial<Params<typeof common>>): void {
  const types = given.allowed_payment_method_types ?? given.payment_method_types;
  if (types !== undefined) intent.payment_method_types = types;
  if (given.capture_method !== undefined) intent.capture_method = given.capture_method;
  if (given.description !== undefined) intent.description = given.description;
  if (given.receipt_email !== undefined) intent.receipt_email = given.receipt_email;
  if (given.setup_future_usage !== undefined) intent.setup_future_usage = given.setup_future_usage;
  if (given.shipping !== undefined) intent.shipping = given.shipping && shippingOf(given.shipping);
  if (given.statement_descriptor !== undefined) intent.statement_descriptor = given.statement_descriptor;
  if (given.statement_descriptor_suffix !== undefined) {
    intent.statement_descriptor_suffix = given.statement_descriptor_suffix;
  }
  if (given.transfer_group !== undefined) intent.transfer_group = given.transfer_group;
  if (given.payment_method !== undefined) {
    intent.payment_method = resolveMethod(world, given.payment_method, 'payment_method').id;
    if (intent.status === 'requires_payment_method') intent.status = 'requires_confirmation';
  }
}

function create(world: World, given: Params<typeof createFields>): PaymentIntent {
  if (given.customer !== undefined) world.need('customer', given.customer, 'customer');
  if (given.payment_method !== undefined) resolveMethod(world, given.payment_method, 'payment_method');
  checkAmount(given.amount);
  if (!/^[a-zA-Z]{3}$/.test(given.currency)) {
    throw invalidRequest(`Invalid currency: ${given.currency}`, { param: 'currency' });
  }
  const intent = openIntent(world, {
    amount: given.amount,
    currency: given.currency.toLowerCase(),
    customer: given.customer ?? null,
    metadata: mergeMetadata({}, given.metadata),
    description: given.description ?? null,
  });
  intent.confirmation_method = given.confirmation_method ?? 'automatic';
  apply(world, intent, given);
  return given.confirm === true ? confirm(world, intent, { ...given, payment_method: undefined }) : intent;
}

export const paymentIntentRoutes = [
  route('POST', '/payment_intents', createFields, (world, params) =>
    world.inTimeOf(params.customer ?? null, () => create(world, params)),
  ),
  route(
    'GET',
    '/payment_intents',
    { ...listShape, created: optional(range), customer: optional(text) },
    (world, params) =>
      pageOf(world.store, 'payment_intent', params, {
        url: '/v1/payment_intents',
        by: params.customer === undefined ? undefined : { key: 'customer', value: params.customer },
        keep: (intent) => params.created?.(intent.created) ?? true,
      }),
  ),
  route('GET', '/payment_intents/:id', { client_secret: optional(text) }, (world, _params, id) =>
    world.need('payment_intent', id),
  ),
  route('POST', '/payment_intents/:id', updateFields, (world, params, id) => {
    const intent = world.need('payment_intent', id);
    const metadataAfter = mergeMetadata(intent.metadata, params.metadata);
    if (params.amount !== undefined) {
      checkAmount(params.amount);
      if (!intent.status.startsWith('requires_') || intent.status === 'requires_capture') {
        throw unexpected(intent, 'change the amount of');
      }
      intent.amount = params.amount;
    }
    if (params.customer !== undefined) {
      world.need('customer', params.customer, 'customer');
      if (intent.customer !== null && intent.customer !== params.customer) {
        throw invalidRequest('The customer of a PaymentIntent cannot be changed.', { param: 'customer' });
      }
      const { customer } = params;
      world.store.rekey('payment_intent', intent, () => {
        intent.customer = customer;
      });
    }
    if (params.currency !== undefined) intent.currency = params.currency.toLowerCase();
    intent.metadata = metadataAfter;
    apply(world, intent, params);
    return intent;
  }),
  route('POST', '/payment_intents/:id/confirm', confirmFields, (world, params, id) => {
    const intent = world.need('payment_intent', id);
    return world.inTimeOf(intent.customer, () => {
      const { payment_method: _method, ...rest } = params;
      apply(world, intent, rest);
      return confirm(world, intent, params);
    });
  }),
  route(
    'POST',
    '/payment_intents/:id/capture',
    {
      amount_to_capture: optional(amount),
      final_capture: optional(flag),
      metadata: optional(metadata),
      statement_descriptor: optional(text),
      statement_descriptor_suffix: optional(text),
    },
    (world, params, id) => {
      const intent = world.need('payment_intent', id);
      if (intent.status !== 'requires_capture') {
        throw invalidRequest(
          `This PaymentIntent could not be captured because it has a status of ${intent.status}. Only a PaymentIntent with one of the following statuses may be captured: requires_capture.`,
          { code: 'payment_intent_unexpected_state' },
        );
      }
      const toCapture = params.amount_to_capture ?? intent.amount_capturable;
      if (toCapture < 1 || toCapture > intent.amount_capturable) {
        throw invalidRequest(
          `The requested capture amount is greater than the amount you can capture for this charge.`,
          { code: 'amount_too_large', param: 'amount_to_capture' },
        );
      }
      intent.metadata = mergeMetadata(intent.metadata, params.metadata);
      world.inTimeOf(intent.customer, () => captureIntent(world, intent, toCapture));
      return intent;
    },
  ),
  route(
    'POST',
    '/payment_intents/:id/cancel',
    {
      cancellation_reason: optional(oneOf('abandoned', 'duplicate', 'fraudulent', 'requested_by_customer')),
    },
    (world, params, id) => {
      const intent = world.need('payment_intent', id);
      if (intent.status === 'succeeded' || intent.status === 'canceled' || intent.status === 'processing') {
        throw unexpected(intent, 'cancel');
      }
      world.inTimeOf(intent.customer, () => cancelIntent(world, intent, params.cancellation_reason ?? null));
      return intent;
    },
  ),
];
