import { invalidRequest } from '../errors.ts';
import { emit } from '../events.ts';
import type { Product } from '../model.ts';
import { flag, group, list, mergeMetadata, metadata, optional, required, text } from '../params.ts';
import type { World } from '../world.ts';

export const marketingFeatures = list(group({ name: required(text) }));

/** What a product can be made with; also used where a product is made along with a price. */
export const productFields = {
  id: optional(text),
  name: required(text),
  active: optional(flag),
  description: optional(text),
  images: optional(list(text)),
  marketing_features: optional(marketingFeatures),
  metadata: optional(metadata),
  shippable: optional(flag),
  statement_descriptor: optional(text),
  tax_code: optional(text),
  unit_label: optional(text),
  url: optional(text),
};

type Given<T> = { [K in keyof T]?: T[K] | undefined };

/** Stores a new product and tells about it. */
export function createProduct(
  world: World,
  given: { name: string } & Given<{
    id: string;
    active: boolean;
    description: string;
    images: string[];
    marketing_features: { name: string }[];
    metadata: Record<string, string | null> | null;
    shippable: boolean;
    statement_descriptor: string;
    tax_code: string;
    unit_label: string;
    url: string;
  }>,
): Product {
  if (given.id !== undefined && world.store.get('product', given.id) !== undefined) {
    throw invalidRequest(`Product already exists.`, { code: 'resource_already_exists', param: 'id' });
  }
  const now = world.clock.now();
  const product = world.store.insert('product', {
    id: given.id ?? world.ids.make('prod_'),
    object: 'product',
    active: given.active ?? true,
    created: now,
    default_price: null,
    description: given.description ?? null,
    images: given.images ?? [],
    livemode: false,
    marketing_features: given.marketing_features ?? [],
    metadata: mergeMetadata({}, given.metadata),
    name: given.name,
    package_dimensions: null,
    shippable: given.shippable ?? null,
    statement_descriptor: given.statement_descriptor ?? null,
    tax_code: given.tax_code ?? null,
    tax_details: null,
    type: 'service',
    unit_label: given.unit_label ?? null,
    updated: now,
    url: given.url ?? null,
  });
  emit(world, 'product.created', product);
  return product;
}
