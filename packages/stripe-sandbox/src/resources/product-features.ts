import { featuresOf } from '../billing/entitle.ts';
import { invalidRequest, missing } from '../errors.ts';
import { listShape, pageOfNested } from '../lists.ts';
import type { ProductFeature } from '../model.ts';
import { optional, required, text } from '../params.ts';
import { route } from '../routes.ts';
import type { World } from '../world.ts';

function need(world: World, product: string, id: string): ProductFeature {
  const attached = world.store.get('product_feature', id);
  if (attached === undefined || attached.$.product !== product) throw missing('product_feature', id);
  return attached;
}

/** The features that whoever subscribes to a product is entitled to. */
export const productFeatureRoutes = [
  route('POST', '/products/:id/features', { entitlement_feature: required(text) }, (world, params, id) => {
    const product = world.need('product', id);
    const feature = world.need('entitlements.feature', params.entitlement_feature, 'entitlement_feature');
    if (featuresOf(world, id).some(({ entitlement_feature }) => entitlement_feature.id === feature.id)) {
      throw invalidRequest('This feature is attached to the product already.', { param: 'entitlement_feature' });
    }
    return world.store.insert('product_feature', {
      id: world.ids.make('prodft_'),
      object: 'product_feature',
      entitlement_feature: feature,
      livemode: false,
      $: { product: product.id },
    });
  }),
  route('GET', '/products/:id/features', { ...listShape, type: optional(text) }, (world, params, id) => {
    world.need('product', id);
    return pageOfNested([...featuresOf(world, id)].reverse(), params, `/v1/products/${id}/features`);
  }),
  route('GET', '/products/:id/features/:feature', {}, (world, _params, id, feature) => need(world, id, feature)),
  route('DELETE', '/products/:id/features/:feature', {}, (world, _params, id, feature) => {
    need(world, id, feature);
    return world.remove('product_feature', feature);
  }),
];
