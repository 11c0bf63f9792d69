import { invalidRequest } from '../errors.ts';
import { change, emit } from '../events.ts';
import { listShape, pageOf } from '../lists.ts';
import {
  clearable,
  flag,
  group,
  ignored,
  list,
  mergeMetadata,
  metadata,
  oneOf,
  optional,
  range,
  text,
} from '../params.ts';
import { route } from '../routes.ts';
import { createProduct, marketingFeatures, productFields } from './create-product.ts';
import { checkPrice, createPrice, priceFields } from './prices.ts';

const { product: _product, product_data: _data, ...defaultPriceFields } = priceFields;

export const productRoutes = [
  route(
    'POST',
    '/products',
    {
      ...productFields,
      default_price_data: optional(group(defaultPriceFields)),
      package_dimensions: optional(ignored),
      tax_details: optional(ignored),
      type: optional(oneOf('good', 'service')),
    },
    (world, params) => {
      const data = params.default_price_data && { ...params.default_price_data, product_data: undefined };
      if (data !== undefined) checkPrice(world, { ...data, product: undefined });
      const product = createProduct(world, params);
      if (data !== undefined) {
        const price = createPrice(world, { ...data, product: product.id });
        change(world, product, 'product.updated', () => {
          product.default_price = price.id;
        });
      }
      return product;
    },
  ),
  route(
    'GET',
    '/products',
    {
      ...listShape,
      active: optional(flag),
      created: optional(range),
      ids: optional(list(text)),
      shippable: optional(flag),
      type: optional(text),
      url: optional(text),
    },
    (world, params) =>
      pageOf(world.store, 'product', params, {
        url: '/v1/products',
        keep: (product) =>
          (params.active === undefined || product.active === params.active) &&
          (params.shippable === undefined || product.shippable === params.shippable) &&
          (params.url === undefined || product.url === params.url) &&
          (params.ids === undefined || params.ids.includes(product.id)) &&
          (params.created?.(product.created) ?? true),
      }),
  ),
  route('GET', '/products/:id', {}, (world, _params, id) => world.need('product', id)),
  route(
    'POST',
    '/products/:id',
    {
      active: optional(flag),
      default_price: optional(clearable(text)),
      description: optional(clearable(text)),
      images: optional(list(text)),
      marketing_features: optional(marketingFeatures),
      metadata: optional(metadata),
      name: optional(text),
      package_dimensions: optional(ignored),
      shippable: optional(flag),
      statement_descriptor: optional(text),
      tax_code: optional(clearable(text)),
      tax_details: optional(ignored),
      unit_label: optional(clearable(text)),
      url: optional(clearable(text)),
    },
    (world, params, id) => {
      const product = world.need('product', id);
      const { metadata: metadataChange, tax_details: _tax, package_dimensions: _size, ...fields } = params;
      if (typeof params.default_price === 'string') {
        const price = world.need('price', params.default_price, 'default_price');
        if (price.product !== id) {
          throw invalidRequest(`The price ${price.id} does not belong to the product ${id}.`, {
            param: 'default_price',
          });
        }
      }
      const metadataAfter = mergeMetadata(product.metadata, metadataChange);
      change(world, product, 'product.updated', () => {
        for (const [key, value] of Object.entries(fields)) {
          if (value !== undefined) Object.assign(product, { [key]: value });
        }
        product.metadata = metadataAfter;
        product.updated = world.clock.now();
      });
      return product;
    },
  ),
  route('DELETE', '/products/:id', {}, (world, _params, id) => {
    const product = world.need('product', id);
    if (world.store.all('price', { key: 'product', value: id }).length > 0) {
      throw invalidRequest(
        'This product cannot be deleted because it has one or more user-created prices. You can archive it instead by setting active to false.',
      );
    }
    emit(world, 'product.deleted', product);
    return world.remove('product', id);
  }),
];
