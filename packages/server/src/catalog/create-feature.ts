import type { Aggregation, FeatureType } from '@tollgate/core';
import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';
import { getProject } from '../projects/find-project.ts';
import { catalogChanged } from './catalog-changed.ts';
import type { FeatureRow } from './views.ts';

export interface CreateFeatureInput {
  projectId: string;
  code: string;
  name: string;
  type: FeatureType;
  aggregation: Aggregation | undefined;
  description: string | null;
}

/**
 * Adds a feature to a project.
 * @throws TollgateError `invalid_request` for a type that is not built yet, `feature_exists`, `not_found` (project)
 */
export async function createFeature(
  deps: { db: Database; clock: Clock },
  input: CreateFeatureInput,
  context: AuditContext,
): Promise<FeatureRow> {
  refuseUnbuilt(input);
  const { projectId, code, name, type, aggregation, description } = input;
  const now = deps.clock.now();
  const at = new Date(now);
  return await deps.db.transaction().execute(async (tx) => {
    await getProject(tx, projectId);
    const values = { project_id: projectId, code, name, type, aggregation: aggregation ?? 'max', description };
    const row = await tx
      .insertInto('tollgate.features')
      .values({ ...values, created_at: at, updated_at: at })
      .onConflict((conflict) => conflict.columns(['project_id', 'code']).doNothing())
      .returningAll()
      .executeTakeFirst();
    if (row === undefined) {
      throw new TollgateError('feature_exists', `The project has a feature "${code}". Choose another code.`, [
        { path: 'code', message: 'is taken' },
      ]);
    }
    // From now on a check of this code no longer answers `unknown_feature`.
    await catalogChanged(tx, projectId, now);
    await recordAudit(
      tx,
      { ...context, action: 'feature.created', projectId, detail: { code, type, aggregation: row.aggregation } },
      now,
    );
    return row;
  });
}

function refuseUnbuilt({ type, aggregation }: CreateFeatureInput): void {
  if (type === 'metered') {
    throw new TollgateError('invalid_request', 'Metered features are not built yet. Use a boolean or a limit.', [
      { path: 'type', message: 'metered is not built yet' },
    ]);
  }
  if (type === 'boolean' && aggregation === 'sum') {
    throw new TollgateError('invalid_request', 'A boolean feature has no amounts to add up. Leave aggregation out.', [
      { path: 'aggregation', message: 'must be max for a boolean' },
    ]);
  }
}
