/** What the API shows of a grant, wherever it shows one. */
import type { Selectable } from 'kysely';
import { Type } from 'typebox';
import { Nullable, OneOf, Timestamp } from '../platform/http/schemas.ts';
import type { Schema } from '../schema.ts';

export type GrantRow = Selectable<Schema['tollgate.grants']>;

export const grantFields = {
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
};

export function grantFieldsOf(row: GrantRow) {
  return {
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
