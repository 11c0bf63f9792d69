import { cancelSubscription, hasEnded } from '../billing/cancellation.ts';
import { behaviourOf, declineWords, isCardNumber } from '../billing/cards.ts';
import { lastPeriodEnd, recurringPrice } from '../billing/items.ts';
import { updateSubscription } from '../billing/update-subscription.ts';
import { invalidRequest } from '../errors.ts';
import { change, emit } from '../events.ts';
import { listShape, pageOf } from '../lists.ts';
import type { PortalConfiguration, PortalSession, Subscription } from '../model.ts';
import {
  clearable,
  flag,
  group,
  ignored,
  mergeMetadata,
  metadata,
  oneOf,
  optional,
  type Params,
  type Reader,
  required,
  text,
} from '../params.ts';
import { route } from '../routes.ts';
import type { World } from '../world.ts';
import { createCard, giveMethod } from './payment-methods.ts';
import { applyFeatures, DEFAULT_FEATURES, featuresReader } from './portal-features.ts';

const businessProfile = optional(
  group({
    headline: optional(clearable(text)),
    privacy_policy_url: optional(clearable(text)),
    terms_of_service_url: optional(clearable(text)),
  }),
);

const configurationFields = {
  business_profile: businessProfile,
  default_return_url: optional(clearable(text)),
  login_page: optional(ignored),
  metadata: optional(metadata),
  name: optional(clearable(text)),
};

type GivenConfiguration = Params<typeof configurationFields>;

function applyConfiguration(configuration: PortalConfiguration, given: GivenConfiguration): void {
  const profile = given.business_profile;
  if (profile?.headline !== undefined) configuration.business_profile.headline = profile.headline;
  if (profile?.privacy_policy_url !== undefined) {
    configuration.business_profile.privacy_policy_url = profile.privacy_policy_url;
  }
  if (profile?.terms_of_service_url !== undefined) {
    configuration.business_profile.terms_of_service_url = profile.terms_of_service_url;
  }
  if (given.default_return_url !== undefined) configuration.default_return_url = given.default_return_url;
  if (given.name !== undefined) configuration.name = given.name;
}

function newConfiguration(world: World, isDefault: boolean): PortalConfiguration {
  const now = world.clock.now();
  return {
    id: world.ids.make('bpc_'),
    object: 'billing_portal.configuration',
    active: true,
    application: null,
    business_profile: { headline: null, privacy_policy_url: null, terms_of_service_url: null },
    created: now,
    default_return_url: null,
    features: structuredClone(DEFAULT_FEATURES),
    is_default: isDefault,
    livemode: false,
    login_page: { enabled: false, url: null },
    metadata: {},
    name: null,
    updated: now,
  };
}

/** The configuration of sessions that name none, which is made when it is first needed. */
function defaultConfiguration(world: World): PortalConfiguration {
  const found = world.store.all('billing_portal.configuration').find(({ is_default }) => is_default);
  if (found !== undefined) return found;
  const made = newConfiguration(world, true);
  made.features.payment_method_update.enabled = true;
  made.features.invoice_history.enabled = true;
  made.features.subscription_cancel.enabled = true;
  return world.store.insert('billing_portal.configuration', made);
}

const completion = optional(
  group({
    type: required(oneOf('hosted_confirmation', 'portal_homepage', 'redirect')),
    hosted_confirmation: optional(group({ custom_message: optional(text) })),
    redirect: optional(group({ return_url: required(text) })),
  }),
);

const flowData = group({
  type: required(
    oneOf('payment_method_update', 'subscription_cancel', 'subscription_update', 'subscription_update_confirm'),
  ),
  after_completion: completion,
  subscription_cancel: optional(group({ subscription: required(text), retention: optional(ignored) })),
  subscription_update: optional(group({ subscription: required(text) })),
  subscription_update_confirm: optional(
    group({ subscription: required(text), items: optional((value) => value), discounts: optional(ignored) }),
  ),
});

type GivenFlow = typeof flowData extends Reader<infer T> ? T : never;

/** What the portal is opened for, when it is for one thing. */
function flowOf(world: World, given: GivenFlow | undefined): PortalSession['flow'] {
  if (given === undefined) return null;
  const { type, after_completion, ...details } = given;
  const subscription =
    details.subscription_cancel?.subscription ??
    details.subscription_update?.subscription ??
    details.subscription_update_confirm?.subscription;
  if (subscription !== undefined) world.need('subscription', subscription, `flow_data[${type}][subscription]`);
  else if (type !== 'payment_method_update') {
    const param = `flow_data[${type}][subscription]`;
    throw invalidRequest(`Missing required param: ${param}.`, { code: 'parameter_missing', param });
  }
  return {
    type,
    after_completion: after_completion ?? { type: 'portal_homepage', hosted_confirmation: null, redirect: null },
    subscription_cancel: details.subscription_cancel ?? null,
    subscription_update: details.subscription_update ?? null,
    subscription_update_confirm: details.subscription_update_confirm ?? null,
  };
}

export const billingPortalRoutes = [
  route(
    'POST',
    '/billing_portal/sessions',
    {
      configuration: optional(text),
      customer: required(text),
      flow_data: optional(flowData),
      locale: optional(text),
      return_url: optional(text),
    },
    (world, params) => {
      const customer = world.need('customer', params.customer, 'customer');
      const configuration =
        params.configuration === undefined
          ? defaultConfiguration(world)
          : world.need('billing_portal.configuration', params.configuration, 'configuration');
      if (!configuration.active) {
        throw invalidRequest('You can only use an active configuration to create a portal session.', {
          param: 'configuration',
        });
      }
      const secret = world.ids.random.token(40);
      return world.store.insert('billing_portal.session', {
        id: world.ids.make('bps_'),
        object: 'billing_portal.session',
        after_expiration: null,
        configuration: configuration.id,
        created: world.clock.now(),
        customer: customer.id,
        customer_account: null,
        flow: flowOf(world, params.flow_data),
        livemode: false,
        locale: params.locale ?? null,
        on_behalf_of: null,
        return_url: params.return_url ?? configuration.default_return_url,
        url: `${world.baseUrl}/p/session/${secret}`,
        $: { secret },
      });
    },
  ),
  route(
    'POST',
    '/billing_portal/configurations',
    { ...configurationFields, features: required(featuresReader) },
    (world, params) => {
      // As with Stripe, one that is made over the API never becomes the default.
      const configuration = newConfiguration(world, false);
      applyConfiguration(configuration, params);
      applyFeatures(world, configuration.features, params.features);
      configuration.metadata = mergeMetadata({}, params.metadata);
      world.store.insert('billing_portal.configuration', configuration);
      emit(world, 'billing_portal.configuration.created', configuration);
      return configuration;
    },
  ),
  route(
    'GET',
    '/billing_portal/configurations',
    { ...listShape, active: optional(flag), is_default: optional(flag) },
    (world, params) =>
      pageOf(world.store, 'billing_portal.configuration', params, {
        url: '/v1/billing_portal/configurations',
        keep: (configuration) =>
          (params.active === undefined || configuration.active === params.active) &&
          (params.is_default === undefined || configuration.is_default === params.is_default),
      }),
  ),
  route('GET', '/billing_portal/configurations/:id', {}, (world, _params, id) =>
    world.need('billing_portal.configuration', id),
  ),
  route(
    'POST',
    '/billing_portal/configurations/:id',
    { ...configurationFields, active: optional(flag), features: optional(featuresReader) },
    (world, params, id) => {
      const configuration = world.need('billing_portal.configuration', id);
      const metadataAfter = mergeMetadata(configuration.metadata, params.metadata);
      const features = structuredClone(configuration.features);
      if (params.features !== undefined) applyFeatures(world, features, params.features);
      change(world, configuration, 'billing_portal.configuration.updated', () => {
        applyConfiguration(configuration, params);
        configuration.features = features;
        configuration.metadata = metadataAfter;
        configuration.active = params.active ?? configuration.active;
        configuration.updated = world.clock.now();
      });
      return configuration;
    },
  ),
];

/**
 * The subscription that a portal session may touch.
 *
 * @throws StripeError when it is not the customer's, or has ended
 */
function ownSubscription(world: World, session: PortalSession, id: string): Subscription {
  const subscription = world.need('subscription', id, 'subscription');
  if (subscription.customer !== session.customer) {
    throw invalidRequest('The subscription belongs to somebody else.', { param: 'subscription' });
  }
  if (hasEnded(subscription)) throw invalidRequest('The subscription has ended.', { param: 'subscription' });
  return subscription;
}

function featuresOf(world: World, session: PortalSession) {
  return world.need('billing_portal.configuration', session.configuration, 'configuration').features;
}

function refuse(what: string): never {
  throw invalidRequest(`The portal's configuration does not allow to ${what}.`);
}

/**
 * The customer cancels, at once or at the period's end, as the configuration says. The end of a period is set as
 * `cancel_at`, which is how the portal does it under flexible billing; `cancel_at_period_end` stays false.
 *
 * @throws StripeError when that is not allowed, or the subscription is not theirs
 */
export function cancelFromPortal(world: World, session: PortalSession, subscriptionId: string): Subscription {
  const subscription = ownSubscription(world, session, subscriptionId);
  const { subscription_cancel: feature } = featuresOf(world, session);
  if (!feature.enabled) refuse('cancel');
  return world.inTimeOf(session.customer, () => {
    if (feature.mode === 'immediately') {
      cancelSubscription(world, subscription, { reason: 'cancellation_requested' });
    } else {
      updateSubscription(world, subscription, { cancelAt: lastPeriodEnd(subscription) });
    }
    return subscription;
  });
}

/**
 * The customer takes a planned cancellation back.
 *
 * @throws StripeError when the subscription is not theirs, or has ended
 */
export function resumeFromPortal(world: World, session: PortalSession, subscriptionId: string): Subscription {
  const subscription = ownSubscription(world, session, subscriptionId);
  return world.inTimeOf(session.customer, () => {
    updateSubscription(world, subscription, { cancelAtPeriodEnd: false });
    return subscription;
  });
}

/**
 * The customer changes to another price that the configuration offers.
 *
 * @throws StripeError when that is not allowed or not offered, or the subscription is not theirs
 */
export function switchPlanFromPortal(
  world: World,
  session: PortalSession,
  subscriptionId: string,
  priceId: string,
): Subscription {
  const subscription = ownSubscription(world, session, subscriptionId);
  const { subscription_update: feature } = featuresOf(world, session);
  const offered = feature.products.some(({ prices }) => prices.includes(priceId));
  if (!feature.enabled || !feature.default_allowed_updates.includes('price') || !offered) refuse('change to this plan');
  const price = recurringPrice(world, priceId, 'price');
  const [item, ...others] = subscription.items.data;
  if (item === undefined || others.length > 0) refuse('change a subscription with several items');
  return world.inTimeOf(session.customer, () => {
    updateSubscription(world, subscription, {
      items: [{ id: item.id, price }],
      prorationBehavior: feature.proration_behavior,
      ...(feature.trial_update_behavior === 'end_trial' && subscription.status === 'trialing'
        ? { trialEnd: 'now' }
        : {}),
    });
    return subscription;
  });
}

/**
 * The customer gives another card, which becomes the default of all that they pay.
 *
 * @returns why the card was refused, or that it was taken
 * @throws StripeError when that is not allowed
 */
export function updateCardFromPortal(
  world: World,
  session: PortalSession,
  cardNumber: string,
): { ok: true } | { ok: false; message: string; declineCode: string } {
  if (!featuresOf(world, session).payment_method_update.enabled) refuse('change the payment method');
  const number = cardNumber.replace(/[\s-]/g, '');
  if (!isCardNumber(number)) {
    return { ok: false, message: 'Your card number is incorrect.', declineCode: 'incorrect_number' };
  }
  const { declines } = behaviourOf(number);
  if (declines !== null) return { ok: false, message: declineWords(declines).message, declineCode: declines };
  const customer = world.need('customer', session.customer, 'customer');
  return world.inTimeOf(session.customer, () => {
    const method = createCard(world, number, { email: customer.email, name: customer.name });
    method.$.authenticated = true;
    giveMethod(world, method, customer);
    change(world, customer, 'customer.updated', () => {
      customer.invoice_settings.default_payment_method = method.id;
    });
    for (const subscription of world.store.all('subscription', { key: 'customer', value: customer.id })) {
      if (hasEnded(subscription) || subscription.default_payment_method === null) continue;
      updateSubscription(world, subscription, { defaultPaymentMethod: method.id });
    }
    return { ok: true };
  });
}
