import type { Price } from '../model.ts';
import type { World } from '../world.ts';

/**
 * The price that stands for an amount that was just named, as on an invoice item. It and its product are archived from
 * the start, and no event tells of them.
 */
export function adHocPrice(
  world: World,
  given: { currency: string; unitAmount: number | null; unitAmountDecimal: string; name: string; product?: string },
): Price {
  const now = world.clock.now();
  const product =
    given.product ??
    world.store.insert('product', {
      id: world.ids.make('prod_'),
      object: 'product',
      active: false,
      created: now,
      default_price: null,
      description: null,
      images: [],
      livemode: false,
      marketing_features: [],
      metadata: {},
      name: given.name,
      package_dimensions: null,
      shippable: null,
      statement_descriptor: null,
      tax_code: null,
      tax_details: null,
      type: 'service',
      unit_label: null,
      updated: now,
      url: null,
    }).id;
  return world.store.insert('price', {
    id: world.ids.make('price_'),
    object: 'price',
    active: false,
    billing_scheme: 'per_unit',
    created: now,
    currency: given.currency,
    custom_unit_amount: null,
    livemode: false,
    lookup_key: null,
    metadata: {},
    nickname: null,
    product,
    recurring: null,
    tax_behavior: 'unspecified',
    tiers_mode: null,
    transform_quantity: null,
    type: 'one_time',
    unit_amount: given.unitAmount,
    unit_amount_decimal: given.unitAmountDecimal,
    $: { tiers: [] },
  });
}
