/** Grants as the API shows them. */

import { type Static, Type } from 'typebox';
import { type GrantRow, grantFields, grantFieldsOf } from '../customers/grant-fields.ts';
import { SourceView } from '../entitlements/views.ts';
import { Closed, named } from '../platform/http/schemas.ts';

export const GrantView = named(
  'Grant',
  Closed({
    object: Type.Literal('grant'),
    id: Type.String(),
    project_id: Type.String(),
    customer_id: Type.String(),
    ...grantFields,
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
    ...grantFieldsOf(row),
  };
}
