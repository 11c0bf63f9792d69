import { entitlementsOf } from '../billing/entitle.ts';
import { invalidRequest } from '../errors.ts';
import { listShape, pageOf, pageOfNested } from '../lists.ts';
import { flag, mergeMetadata, metadata, optional, required, text } from '../params.ts';
import { route } from '../routes.ts';

const FEATURES = '/v1/entitlements/features';

/** Features, and the entitlements to them that customers have by what they subscribe to. */
export const entitlementRoutes = [
  route(
    'POST',
    '/entitlements/features',
    { lookup_key: required(text), metadata: optional(metadata), name: required(text) },
    (world, params) => {
      const taken = world.store
        .all('entitlements.feature')
        .some(({ active, lookup_key }) => active && lookup_key === params.lookup_key);
      if (taken) {
        throw invalidRequest(`A feature with the lookup key ${params.lookup_key} already exists.`, {
          code: 'resource_already_exists',
          param: 'lookup_key',
        });
      }
      return world.store.insert('entitlements.feature', {
        id: world.ids.make('feat_'),
        object: 'entitlements.feature',
        active: true,
        livemode: false,
        lookup_key: params.lookup_key,
        metadata: mergeMetadata({}, params.metadata),
        name: params.name,
      });
    },
  ),
  route(
    'GET',
    '/entitlements/features',
    { ...listShape, archived: optional(flag), lookup_key: optional(text) },
    (world, params) =>
      pageOf(world.store, 'entitlements.feature', params, {
        url: FEATURES,
        keep: ({ active, lookup_key }) =>
          active === (params.archived !== true) && (params.lookup_key ?? lookup_key) === lookup_key,
      }),
  ),
  route('GET', '/entitlements/features/:id', {}, (world, _params, id) => world.need('entitlements.feature', id)),
  route(
    'POST',
    '/entitlements/features/:id',
    { active: optional(flag), metadata: optional(metadata), name: optional(text) },
    (world, params, id) => {
      const feature = world.need('entitlements.feature', id);
      feature.metadata = mergeMetadata(feature.metadata, params.metadata);
      feature.active = params.active ?? feature.active;
      feature.name = params.name ?? feature.name;
      return feature;
    },
  ),
  route('GET', '/entitlements/active_entitlements', { ...listShape, customer: required(text) }, (world, params) => {
    world.need('customer', params.customer, 'customer');
    const newestFirst = [...entitlementsOf(world, params.customer)].reverse();
    return pageOfNested(newestFirst, params, '/v1/entitlements/active_entitlements');
  }),
  route('GET', '/entitlements/active_entitlements/:id', {}, (world, _params, id) =>
    world.need('entitlements.active_entitlement', id),
  ),
];
