import { change, emit } from '../events.ts';
import { listShape, pageOf } from '../lists.ts';
import type { PortalConfiguration } from '../model.ts';
import {
  clearable,
  flag,
  group,
  ignored,
  mergeMetadata,
  metadata,
  optional,
  type Params,
  required,
  text,
} from '../params.ts';
import { route } from '../routes.ts';
import type { World } from '../world.ts';
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
export function defaultConfiguration(world: World): PortalConfiguration {
  const found = world.store.all('billing_portal.configuration').find(({ is_default }) => is_default);
  if (found !== undefined) return found;
  const made = newConfiguration(world, true);
  made.features.payment_method_update.enabled = true;
  made.features.invoice_history.enabled = true;
  made.features.subscription_cancel.enabled = true;
  return world.store.insert('billing_portal.configuration', made);
}

export const portalConfigurationRoutes = [
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
