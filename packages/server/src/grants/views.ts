/** Grants as the API shows them. */

import type { Selectable } from 'kysely';
import { type Static, Type } from 'typebox';
import { SourceView } from '../entitlements/views.ts';
import { Closed, Nullable, named, OneOf, Timestamp } from '../platform/http/schemas.ts';
import type { Schema } from '../schema.ts';

export type GrantRow = Selectable<Schema['tollgate.grants']>;

export const GrantView = named(
  'Grant',
  Closed({
    object: Type.Literal('grant'),
    id: Type.String(),
    project_id: Type.String(),
    customer_id: Type.String(),
    feature: Type.String(),
    effect: OneOf(['allow', 'deny']),
    value: Nullable(Type.Integer()),
    unlimited: Type.Boolean(),
    valid_from: Timestamp,
    valid_to: Nullable(Timestamp),
    reason: Type.String(),
    actor: Type.String(),
    created_at: Timestamp,
    revoked_at: Nullable(Timestamp),
    revoked_by: Nullable(Type.String()),
    revoke_reason: Nullable(Type.String()),
  }),
);

export const RevocationView = named(
  'Revocation',
  Closed({
    object: Type.Literal('revocation'),
    revoked: Type.Array(GrantView),
    still_entitled: Type.Boolean({ description: 'Whether something else still gives the feature now.' }),
    remaining_sources: Type.Array(SourceView),
  }),
);

/** @param customerId - the app's own id */
export function grantView(row: GrantRow, customerId: string): Static<typeof GrantView> {
  return {
    object: 'grant',
    id: row.id,
    project_id: row.project_id,
    customer_id: customerId,
    feature: row.feature,
    effect: row.effect,
    value: row.value,
    unlimited: row.unlimited,
    valid_from: row.valid_from.toISOString(),
    valid_to: row.valid_to?.toISOString() ?? null,
    reason: row.reason,
    actor: row.actor,
    created_at: row.created_at.toISOString(),
    revoked_at: row.revoked_at?.toISOString() ?? null,
    revoked_by: row.revoked_by,
    revoke_reason: row.revoke_reason,
  };
}
