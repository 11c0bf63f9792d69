/** Decisions and entitlements as the API shows them. */
import type { Decision, EntitlingSource, Evaluation, FeatureState, Instant, Reason } from '@tollgate/core';
import { Type } from 'typebox';
import { Closed, Nullable, named, OneOf, Timestamp } from '../platform/http/schemas.ts';
import { DENIED_REASONS, ENTITLED_REASONS } from './packed-snapshot.ts';

export const REASONS = [...ENTITLED_REASONS, ...DENIED_REASONS] as const satisfies readonly Reason[];

export const SOURCE_TYPES = ['subscription', 'purchase', 'grant'] as const;

const amount = {
  value: Nullable(Type.Integer({ description: 'The amount of a `limit`; null for a boolean, and when unlimited.' })),
  unlimited: Type.Boolean(),
};

/** What a decision says beside whom and what it is about. */
export const decisionFields = {
  entitled: Type.Boolean(),
  ...amount,
  reason: OneOf(REASONS, { description: 'Of several sources the one that lasts longest, or that ended last.' }),
  valid_to: Nullable(Timestamp),
};

export const DecisionView = named(
  'Decision',
  Closed({
    object: Type.Literal('decision'),
    customer_id: Type.String(),
    feature: Type.String(),
    ...decisionFields,
    version: Type.Integer({ description: "The version of the customer's snapshot; 0 for one never seen." }),
  }),
);

export const DecisionListView = named(
  'DecisionList',
  Closed({ object: Type.Literal('list'), data: Type.Array(DecisionView) }),
);

export const SourceView = named(
  'EntitlingSource',
  Closed({
    type: OneOf(SOURCE_TYPES),
    id: Type.String(),
    reason: OneOf(ENTITLED_REASONS),
    period_end: Type.Optional(Nullable(Timestamp)),
    will_renew: Type.Optional(Type.Boolean({ description: 'Only of a subscription, as is period_end.' })),
  }),
);

export const EntitlementsView = named(
  'Entitlements',
  Closed({
    object: Type.Literal('entitlements'),
    project_id: Type.String(),
    customer_id: Type.String(),
    version: Type.Integer(),
    next_change_at: Nullable(Timestamp),
    entitlements: Type.Record(
      Type.String(),
      Closed({
        feature: Type.String(),
        type: OneOf(['boolean', 'limit', 'metered']),
        entitled: Type.Literal(true),
        ...amount,
        valid_from: Timestamp,
        valid_to: Nullable(Timestamp),
        sources: Type.Array(SourceView),
      }),
      { description: 'By feature; only those that the customer is entitled to now.' },
    ),
  }),
);

export function iso(at: Instant): string {
  return new Date(at).toISOString();
}

export function isoOrNull(at: Instant | null): string | null {
  return at === null ? null : iso(at);
}

export function decisionFieldsOf({ entitled, value, unlimited, reason, validTo }: Decision) {
  return { entitled, value, unlimited, reason, valid_to: isoOrNull(validTo) };
}

export function decisionView(customerId: string, feature: string, version: number, decision: Decision) {
  return {
    object: 'decision' as const,
    customer_id: customerId,
    feature,
    ...decisionFieldsOf(decision),
    version,
  };
}

export function sourceView({ type, id, reason, periodEnd, willRenew }: EntitlingSource) {
  if (type !== 'subscription') return { type, id, reason };
  return { type, id, reason, period_end: isoOrNull(periodEnd), will_renew: willRenew };
}

export function entitlementsView(projectId: string, customerId: string, version: number, evaluation: Evaluation) {
  const entitled = Object.values(evaluation.features).filter((state) => state.entitled);
  return {
    object: 'entitlements' as const,
    project_id: projectId,
    customer_id: customerId,
    version,
    next_change_at: isoOrNull(evaluation.nextChangeAt),
    entitlements: Object.fromEntries(entitled.map((state) => [state.feature, entitlementView(state)])),
  };
}

function entitlementView(state: FeatureState) {
  const { feature, type, entitled, value, unlimited, validFrom, validTo, sources } = state;
  return {
    feature,
    type,
    entitled,
    value,
    unlimited,
    valid_from: isoOrNull(validFrom),
    valid_to: isoOrNull(validTo),
    sources: sources.map(sourceView),
  };
}
