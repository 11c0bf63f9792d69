import { attempt, cancelIntent, openIntent } from '../billing/payments.ts';
import { refusal } from '../billing/refusal.ts';
import { invalidRequest } from '../errors.ts';
import { listShape, pageOf } from '../lists.ts';
import type { PaymentIntent } from '../model.ts';
import {
  amount,
  clearable,
  flag,
  ignored,
  list,
  mergeMetadata,
  metadata,
  oneOf,
  optional,
  range,
  required,
  text,
} from '../params.ts';
import { route } from '../routes.ts';
import type { World } from '../world.ts';
import { giveMethod, resolveMethod } from './payment-methods.ts';

/** Tries to pay, as the shop or its customer asks for. */
function confirm(
  world: World,
  intent: PaymentIntent,
  methodId: string | undefined,
  offSession: boolean,
): PaymentIntent {
  if (!['requires_confirmation', 'requires_payment_method', 'requires_action'].includes(intent.status)) {
    throw invalidRequest(`This PaymentIntent's status is ${intent.status}, and it cannot be confirmed.`, {
      code: 'payment_intent_unexpected_state',
    });
  }
  const id = methodId ?? intent.payment_method;
  if (id === null) {
    throw invalidRequest('You cannot confirm this PaymentIntent because it is missing a payment method.', {
      code: 'payment_intent_unexpected_state',
      param: 'payment_method',
    });
  }
  const method = resolveMethod(world, id, 'payment_method');
  const outcome = attempt(world, intent, method, !offSession);
  if (outcome.status === 'failed') throw refusal(outcome, intent);
  const customer = intent.customer === null ? undefined : world.store.get('customer', intent.customer);
  if (intent.setup_future_usage !== null && customer !== undefined) giveMethod(world, method, customer);
  return intent;
}

export const paymentIntentRoutes = [
  route(
    'POST',
    '/payment_intents',
    {
      allowed_payment_method_types: optional(list(text)),
      amount: required(amount),
      automatic_payment_methods: optional(ignored),
      capture_method: optional(oneOf('automatic', 'automatic_async')),
      confirm: optional(flag),
      currency: required(text),
      customer: optional(text),
      description: optional(text),
      metadata: optional(metadata),
      off_session: optional(flag),
      payment_method: optional(text),
      receipt_email: optional(text),
      return_url: optional(text),
      setup_future_usage: optional(oneOf('off_session', 'on_session')),
      statement_descriptor: optional(text),
      transfer_group: optional(text),
    },
    (world, params) => {
      if (params.customer !== undefined) world.need('customer', params.customer, 'customer');
      if (params.amount < 1) throw invalidRequest('Invalid positive integer', { param: 'amount' });
      return world.inTimeOf(params.customer ?? null, () => {
        const intent = openIntent(world, {
          amount: params.amount,
          currency: params.currency.toLowerCase(),
          customer: params.customer ?? null,
          metadata: mergeMetadata({}, params.metadata),
          description: params.description ?? null,
          receiptEmail: params.receipt_email ?? null,
          setupFutureUsage: params.setup_future_usage ?? null,
          statementDescriptor: params.statement_descriptor ?? null,
          transferGroup: params.transfer_group ?? null,
        });
        intent.allowed_payment_method_types = params.allowed_payment_method_types ?? null;
        if (params.payment_method !== undefined) {
          intent.payment_method = resolveMethod(world, params.payment_method, 'payment_method').id;
          intent.status = 'requires_confirmation';
        }
        return params.confirm === true ? confirm(world, intent, undefined, params.off_session === true) : intent;
      });
    },
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
  route(
    'POST',
    '/payment_intents/:id',
    { description: optional(clearable(text)), metadata: optional(metadata), receipt_email: optional(clearable(text)) },
    (world, params, id) => {
      const intent = world.need('payment_intent', id);
      intent.metadata = mergeMetadata(intent.metadata, params.metadata);
      if (params.description !== undefined) intent.description = params.description;
      if (params.receipt_email !== undefined) intent.receipt_email = params.receipt_email;
      return intent;
    },
  ),
  route(
    'POST',
    '/payment_intents/:id/confirm',
    { off_session: optional(flag), payment_method: optional(text), return_url: optional(text) },
    (world, params, id) => {
      const intent = world.need('payment_intent', id);
      return world.inTimeOf(intent.customer, () =>
        confirm(world, intent, params.payment_method, params.off_session === true),
      );
    },
  ),
  route('POST', '/payment_intents/:id/cancel', { cancellation_reason: optional(text) }, (world, params, id) => {
    const intent = world.need('payment_intent', id);
    if (intent.status === 'succeeded' || intent.status === 'canceled' || intent.status === 'processing') {
      throw invalidRequest(`You cannot cancel this PaymentIntent because it has a status of ${intent.status}.`, {
        code: 'payment_intent_unexpected_state',
      });
    }
    world.inTimeOf(intent.customer, () => cancelIntent(world, intent, params.cancellation_reason ?? null));
    return intent;
  }),
];
