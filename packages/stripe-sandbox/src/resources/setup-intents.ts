import { invalidRequest } from '../errors.ts';
import { emit } from '../events.ts';
import { listShape, pageOf } from '../lists.ts';
import type { Metadata, SetupIntent } from '../model.ts';
import { flag, group, ignored, list, mergeMetadata, metadata, oneOf, optional, range, text } from '../params.ts';
import { route } from '../routes.ts';
import type { World } from '../world.ts';
import { attachMethod, giveMethod, resolveMethod } from './payment-methods.ts';

/** Stores a setup intent; with a payment method it has succeeded already. */
export function createSetupIntent(
  world: World,
  given: {
    customer: string | null;
    metadata: Metadata;
    description: string | null;
    paymentMethod: string | null;
    usage?: SetupIntent['usage'];
  },
): SetupIntent {
  const id = world.ids.make('seti_');
  const intent = world.store.insert('setup_intent', {
    id,
    object: 'setup_intent',
    allowed_payment_method_types: null,
    application: null,
    automatic_payment_methods: null,
    cancellation_reason: null,
    client_secret: `${id}_secret_${world.ids.random.token(25)}`,
    created: world.clock.now(),
    customer: given.customer,
    customer_account: null,
    description: given.description,
    excluded_payment_method_types: null,
    flow_directions: null,
    last_setup_error: null,
    latest_attempt: null,
    livemode: false,
    mandate: null,
    metadata: given.metadata,
    next_action: null,
    on_behalf_of: null,
    payment_method: given.paymentMethod,
    payment_method_configuration_details: null,
    payment_method_options: {},
    payment_method_types: ['card'],
    single_use_mandate: null,
    status: given.paymentMethod === null ? 'requires_payment_method' : 'succeeded',
    usage: given.usage ?? 'off_session',
  });
  emit(world, 'setup_intent.created', intent);
  if (intent.status === 'succeeded') emit(world, 'setup_intent.succeeded', intent);
  return intent;
}

/** Confirms a setup intent: its payment method is checked and given to the customer. */
function confirm(world: World, intent: SetupIntent, methodId: string | undefined): SetupIntent {
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
  const method =
    customer === null
      ? resolveMethod(world, id, 'payment_method')
      : attachMethod(world, id, customer, 'payment_method');
  method.$.authenticated = true;
  if (customer !== null) giveMethod(world, method, customer);
  intent.payment_method = method.id;
  intent.status = 'succeeded';
  emit(world, 'setup_intent.succeeded', intent);
  return intent;
}

export const setupIntentRoutes = [
  route(
    'POST',
    '/setup_intents',
    {
      allowed_payment_method_types: optional(list(text)),
      automatic_payment_methods: optional(ignored),
      confirm: optional(flag),
      customer: optional(text),
      description: optional(text),
      metadata: optional(metadata),
      payment_method: optional(text),
      return_url: optional(text),
      usage: optional(oneOf('off_session', 'on_session')),
    },
    (world, params) => {
      if (params.customer !== undefined) world.need('customer', params.customer, 'customer');
      const intent = createSetupIntent(world, {
        customer: params.customer ?? null,
        metadata: mergeMetadata({}, params.metadata),
        description: params.description ?? null,
        paymentMethod: null,
        ...(params.usage === undefined ? {} : { usage: params.usage }),
      });
      intent.allowed_payment_method_types = params.allowed_payment_method_types ?? null;
      if (params.payment_method !== undefined) {
        intent.payment_method = resolveMethod(world, params.payment_method, 'payment_method').id;
        intent.status = 'requires_confirmation';
      }
      return params.confirm === true ? confirm(world, intent, undefined) : intent;
    },
  ),
  route(
    'GET',
    '/setup_intents',
    { ...listShape, created: optional(range), customer: optional(text), payment_method: optional(text) },
    (world, params) =>
      pageOf(world.store, 'setup_intent', params, {
        url: '/v1/setup_intents',
        by: params.customer === undefined ? undefined : { key: 'customer', value: params.customer },
        keep: (intent) =>
          (params.payment_method === undefined || intent.payment_method === params.payment_method) &&
          (params.created?.(intent.created) ?? true),
      }),
  ),
  route('GET', '/setup_intents/:id', { client_secret: optional(text) }, (world, _params, id) =>
    world.need('setup_intent', id),
  ),
  route(
    'POST',
    '/setup_intents/:id/confirm',
    { payment_method: optional(text), return_url: optional(text), mandate_data: optional(group({})) },
    (world, params, id) => confirm(world, world.need('setup_intent', id), params.payment_method),
  ),
  route('POST', '/setup_intents/:id/cancel', { cancellation_reason: optional(text) }, (world, params, id) => {
    const intent = world.need('setup_intent', id);
    if (intent.status === 'succeeded' || intent.status === 'canceled') {
      throw invalidRequest(`This SetupIntent is already ${intent.status}.`, { code: 'setup_intent_unexpected_state' });
    }
    intent.status = 'canceled';
    intent.cancellation_reason = params.cancellation_reason ?? null;
    emit(world, 'setup_intent.canceled', intent);
    return intent;
  }),
];
