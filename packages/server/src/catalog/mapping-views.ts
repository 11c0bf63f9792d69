/** Another set of mappings, and what follows from it, as the API shows it. */
import type { Decision } from '@tollgate/core';
import { type Static, Type } from 'typebox';
import { Closed, FeatureCode, Nullable, named, OneOf, Timestamp } from '../platform/http/schemas.ts';
import type { RecomputationRow } from './find-recomputation.ts';
import type { MappingOwner } from './mappings.ts';
import type { MappingsPreview } from './preview-mappings.ts';
import { MappingView, mappingView } from './views.ts';

export const RecomputationView = named(
  'Recomputation',
  Closed({
    object: Type.Literal('recomputation'),
    id: Type.String(),
    status: OneOf(['queued', 'running', 'completed']),
    total: Nullable(Type.Integer({ description: 'Customers to compute; null until it has begun.' })),
    done: Type.Integer(),
    changed: Type.Integer({ description: 'Customers whose entitlements became others.' }),
    created_at: Timestamp,
    finished_at: Nullable(Timestamp),
  }),
);

const FeatureAnswer = named(
  'FeatureAnswer',
  Closed({
    entitled: Type.Boolean(),
    value: Nullable(Type.Integer()),
    unlimited: Type.Boolean(),
    reason: Type.String({ description: 'As a check would give it.' }),
    valid_to: Nullable(Timestamp),
  }),
);

const PreviewView = named(
  'FeaturesPreview',
  Closed({
    considered: Type.Integer({ description: 'Customers who have bought the product or price at any time.' }),
    affected: Type.Integer({ description: 'Those of them for whom something would change now.' }),
    totals: Type.Array(
      Closed({
        feature: FeatureCode,
        gained: Type.Integer({ description: 'Customers who would get the feature.' }),
        lost: Type.Integer({ description: 'Customers who would no longer have it.' }),
        changed: Type.Integer({ description: 'Customers for whom its amount or its end would be another.' }),
      }),
    ),
    customers: Type.Array(
      Closed({
        customer_id: Type.String(),
        changes: Type.Array(
          Closed({
            feature: FeatureCode,
            change: OneOf(['gained', 'lost', 'changed']),
            before: FeatureAnswer,
            after: FeatureAnswer,
          }),
        ),
      }),
      { description: 'The first 100 of the affected.' },
    ),
    truncated: Type.Boolean({ description: 'Whether there are more affected customers than are listed.' }),
  }),
);

export const FeaturesChangeView = named(
  'FeaturesChange',
  Closed({
    object: Type.Literal('features_change'),
    dry_run: Type.Boolean(),
    owner: Closed({ type: OneOf(['product', 'price']), id: Type.String() }),
    features: Type.Array(MappingView, { description: 'The set as it is now, or with `dry_run` as it would be.' }),
    recomputation: Nullable(RecomputationView),
    preview: Nullable(PreviewView),
  }),
);

export function recomputationView(row: RecomputationRow): Static<typeof RecomputationView> {
  return {
    object: 'recomputation',
    id: row.id,
    status: row.status,
    total: row.total,
    done: row.done,
    changed: row.changed,
    created_at: row.created_at.toISOString(),
    finished_at: row.finished_at?.toISOString() ?? null,
  };
}

export function previewView(owner: MappingOwner, preview: MappingsPreview): Static<typeof FeaturesChangeView> {
  const { considered, affected, totals, truncated } = preview;
  return {
    object: 'features_change',
    dry_run: true,
    owner,
    features: preview.mappings.map(mappingView),
    recomputation: null,
    preview: {
      considered,
      affected,
      totals,
      customers: preview.customers.map(({ customerId, changes }) => ({
        customer_id: customerId,
        changes: changes.map(({ feature, change, before, after }) => ({
          feature,
          change,
          before: answerView(before),
          after: answerView(after),
        })),
      })),
      truncated,
    },
  };
}

function answerView({ entitled, value, unlimited, reason, validTo }: Decision): Static<typeof FeatureAnswer> {
  return {
    entitled,
    value,
    unlimited,
    reason,
    valid_to: validTo === null ? null : new Date(validTo).toISOString(),
  };
}
