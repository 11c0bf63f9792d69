import type { GrantFact } from '@tollgate/core';
import type { GrantRow } from '../customers/grant-fields.ts';

/** What a grant says about access. */
export function grantFact(row: GrantRow): GrantFact {
  return {
    kind: 'grant',
    id: row.id,
    feature: row.feature,
    effect: row.effect,
    value: row.value,
    unlimited: row.unlimited,
    validFrom: row.valid_from.getTime(),
    validTo: row.valid_to?.getTime() ?? null,
    revokedAt: row.revoked_at?.getTime() ?? null,
  };
}
