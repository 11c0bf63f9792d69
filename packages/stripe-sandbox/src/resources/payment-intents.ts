import { captureIntent } from '../billing/capture.ts';
import { cancelIntent, openIntent } from '../billing/payments.ts';
import { invalidRequest } from '../errors.ts';
import { listShape, pageOf } from '../lists.ts';
import type { PaymentIntent } from '../model.ts';
import { amount, flag, mergeMetadata, metadata, oneOf, optional, type Params, range, text } from '../params.ts';
import { route } from '../routes.ts';
import type { World } from '../world.ts';
import { shippingOf } from './addresses.ts';
import { confirmIntent, unexpectedState } from './confirm-intent.ts';
import { confirmFields, createFields, type intentFields, updateFields } from './payment-intent-params.ts';
import { resolveMethod } from './payment-methods.ts';

function checkAmount(value: number): void {
  if (value < 1) {
    throw invalidRequest('This value must be greater than or equal to 1.', {
      code: 'parameter_invalid_integer',
      param: 'amount',
    });
  }
}

/** Takes what may be said of a payment until it is made. */
function apply(world: World, intent: PaymentIntent, given: Partial<Params<typeof intentFields>>): void {
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
  return given.confirm === true ? confirmIntent(world, intent, { ...given, payment_method: undefined }) : intent;
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
        throw unexpectedState(intent, 'change the amount of');
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
      return confirmIntent(world, intent, params);
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
        throw unexpectedState(intent, 'cancel');
      }
      world.inTimeOf(intent.customer, () => cancelIntent(world, intent, params.cancellation_reason ?? null));
      return intent;
    },
  ),
];
