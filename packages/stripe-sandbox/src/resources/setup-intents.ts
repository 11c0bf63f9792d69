import { invalidRequest } from '../errors.ts';
import { emit } from '../events.ts';
import { listShape, pageOf } from '../lists.ts';
import type { Metadata, SetupIntent } from '../model.ts';
import { clearable, flag, ignored, list, mergeMetadata, metadata, oneOf, optional, range, text } from '../params.ts';
import { route } from '../routes.ts';
import type { World } from '../world.ts';
import { confirmSetup } from './confirm-setup.ts';
import { resolveMethod } from './payment-methods.ts';

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

/** Taken and without effect here. */
const withoutEffect = {
  excluded_payment_method_types: optional(ignored),
  flow_directions: optional(ignored),
  payment_method_configuration: optional(ignored),
  payment_method_options: optional(ignored),
};

const common = {
  ...withoutEffect,
  allowed_payment_method_types: optional(list(text)),
  customer: optional(text),
  metadata: optional(metadata),
  payment_method: optional(text),
  payment_method_types: optional(list(text)),
};

export const setupIntentRoutes = [
  route(
    'POST',
    '/setup_intents',
    {
      ...common,
      automatic_payment_methods: optional(ignored),
      confirm: optional(flag),
      description: optional(text),
      mandate_data: optional(ignored),
      return_url: optional(text),
      usage: optional(oneOf('off_session', 'on_session')),
      use_stripe_sdk: optional(flag),
    },
    (world, params) => {
      if (params.customer !== undefined) world.need('customer', params.customer, 'customer');
      const method =
        params.payment_method === undefined ? null : resolveMethod(world, params.payment_method, 'payment_method');
      const intent = createSetupIntent(world, {
        customer: params.customer ?? null,
        metadata: mergeMetadata({}, params.metadata),
        description: params.description ?? null,
        paymentMethod: null,
        ...(params.usage === undefined ? {} : { usage: params.usage }),
      });
      intent.payment_method_types =
        params.allowed_payment_method_types ?? params.payment_method_types ?? intent.payment_method_types;
      if (method !== null) {
        intent.payment_method = method.id;
        intent.status = 'requires_confirmation';
      }
      return params.confirm === true ? confirmSetup(world, intent, undefined, params.return_url) : intent;
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
  route('POST', '/setup_intents/:id', { ...common, description: optional(clearable(text)) }, (world, params, id) => {
    const intent = world.need('setup_intent', id);
    if (params.customer !== undefined) world.need('customer', params.customer, 'customer');
    const metadataAfter = mergeMetadata(intent.metadata, params.metadata);
    if (params.payment_method !== undefined) {
      intent.payment_method = resolveMethod(world, params.payment_method, 'payment_method').id;
      if (intent.status === 'requires_payment_method') intent.status = 'requires_confirmation';
    }
    const { customer } = params;
    if (customer !== undefined) {
      world.store.rekey('setup_intent', intent, () => {
        intent.customer = customer;
      });
    }
    if (params.description !== undefined) intent.description = params.description;
    intent.metadata = metadataAfter;
    return intent;
  }),
  route(
    'POST',
    '/setup_intents/:id/confirm',
    {
      ...withoutEffect,
      mandate_data: optional(ignored),
      payment_method: optional(text),
      payment_method_types: optional(ignored),
      return_url: optional(text),
      use_stripe_sdk: optional(flag),
    },
    (world, params, id) =>
      confirmSetup(world, world.need('setup_intent', id), params.payment_method, params.return_url),
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
