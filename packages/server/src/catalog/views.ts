/** The catalog as the API shows it. */
import type { Mapping } from '@tollgate/core';
import type { Selectable } from 'kysely';
import { type Static, Type } from 'typebox';
import { Closed, FeatureCode, Nullable, named, OneOf, Timestamp } from '../platform/http/schemas.ts';
import type { Schema } from '../schema.ts';

export type FeatureRow = Selectable<Schema['tollgate.features']>;
export type ProductRow = Selectable<Schema['tollgate.products']>;
export type PriceRow = Selectable<Schema['tollgate.prices']>;

/** Stripe's four units of a billing period. */
export const INTERVALS = ['day', 'week', 'month', 'year'] as const;
export type Interval = (typeof INTERVALS)[number];

export const FeatureView = named(
  'Feature',
  Closed({
    object: Type.Literal('feature'),
    code: FeatureCode,
    name: Type.String(),
    type: OneOf(['boolean', 'limit', 'metered']),
    aggregation: OneOf(['max', 'sum'], { description: 'How the amounts of several sources combine.' }),
    description: Nullable(Type.String()),
    created_at: Timestamp,
    updated_at: Timestamp,
  }),
);

export const MappingView = named(
  'Mapping',
  Closed({
    code: FeatureCode,
    value: Nullable(Type.Integer()),
    unlimited: Type.Boolean(),
    per_unit: Type.Boolean({ description: 'The amount is value × the quantity bought.' }),
    access_days: Nullable(
      Type.Integer({ description: 'Days of access that a one-off purchase gives; null: for ever.' }),
    ),
  }),
);

export const ProductView = named(
  'Product',
  Closed({
    object: Type.Literal('product'),
    id: Type.String({ description: "Stripe's `prod_…`." }),
    name: Type.String(),
    description: Nullable(Type.String()),
    active: Type.Boolean(),
    features: Type.Array(MappingView),
    created_at: Timestamp,
    updated_at: Timestamp,
  }),
);

export const PriceView = named(
  'Price',
  Closed({
    object: Type.Literal('price'),
    id: Type.String({ description: "Stripe's `price_…`." }),
    product: Type.String(),
    currency: Type.String({ description: 'ISO 4217, lower case.' }),
    unit_amount: Nullable(Type.Integer({ description: 'Minor units; null where Stripe holds no single amount.' })),
    recurring: Nullable(
      Closed({
        interval: OneOf(INTERVALS),
        interval_count: Type.Integer(),
        usage_type: OneOf(['licensed', 'metered']),
      }),
    ),
    nickname: Nullable(Type.String()),
    lookup_key: Nullable(Type.String()),
    active: Type.Boolean(),
    features: Type.Array(MappingView),
    created_at: Timestamp,
    updated_at: Timestamp,
  }),
);

export function featureView(row: FeatureRow): Static<typeof FeatureView> {
  return {
    object: 'feature',
    code: row.code,
    name: row.name,
    type: row.type,
    aggregation: row.aggregation,
    description: row.description,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}

export function mappingView(mapping: Mapping): Static<typeof MappingView> {
  return {
    code: mapping.code,
    value: mapping.value,
    unlimited: mapping.unlimited,
    per_unit: mapping.perUnit,
    access_days: mapping.accessDays,
  };
}

/** @param mappings - the product's own, by code */
export function productView(row: ProductRow, mappings: readonly Mapping[]): Static<typeof ProductView> {
  return {
    object: 'product',
    id: row.id,
    name: row.name,
    description: row.description,
    active: row.active,
    features: mappings.map(mappingView),
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}

/** @param mappings - the price's own, without its product's */
export function priceView(row: PriceRow, mappings: readonly Mapping[]): Static<typeof PriceView> {
  return {
    object: 'price',
    id: row.id,
    product: row.product_id,
    currency: row.currency,
    unit_amount: row.unit_amount,
    recurring: recurringOf(row),
    nickname: row.nickname,
    lookup_key: row.lookup_key,
    active: row.active,
    features: mappings.map(mappingView),
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}

function recurringOf(row: PriceRow): Static<typeof PriceView>['recurring'] {
  const interval = INTERVALS.find((known) => known === row.recurring_interval);
  if (interval === undefined) return null;
  return {
    interval,
    interval_count: row.recurring_interval_count ?? 1,
    usage_type: row.usage_type === 'metered' ? 'metered' : 'licensed',
  };
}
