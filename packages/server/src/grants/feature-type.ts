import type { FeatureType } from '@tollgate/core';
import type { Queryable } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';

/**
 * The type of the feature that a body names.
 * @throws TollgateError `invalid_request` when the project has no such feature
 */
export async function featureType(db: Queryable, projectId: string, code: string): Promise<FeatureType> {
  const row = await db
    .selectFrom('tollgate.features')
    .select('type')
    .where('project_id', '=', projectId)
    .where('code', '=', code)
    .executeTakeFirst();
  if (row !== undefined) return row.type;
  throw new TollgateError('invalid_request', `The project has no feature "${code}". Create it first.`, [
    { path: 'feature', message: 'is no feature of this project; create it first' },
  ]);
}
