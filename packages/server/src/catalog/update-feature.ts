import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import { notFound } from '../platform/errors.ts';
import type { FeatureRow } from './views.ts';

export interface FeaturePatch {
  name?: string | undefined;
  /** null takes it away. */
  description?: string | null | undefined;
}

/**
 * Changes how a feature is described. Its type and aggregation never change: what was sold would mean something else.
 * @throws TollgateError `not_found`
 */
export async function updateFeature(
  deps: { db: Database; clock: Clock },
  target: { projectId: string; code: string },
  patch: FeaturePatch,
  context: AuditContext,
): Promise<FeatureRow> {
  const now = deps.clock.now();
  return await deps.db.transaction().execute(async (tx) => {
    const row = await tx
      .updateTable('tollgate.features')
      .set({
        updated_at: new Date(now),
        ...(patch.name === undefined ? {} : { name: patch.name }),
        ...(patch.description === undefined ? {} : { description: patch.description }),
      })
      .where('project_id', '=', target.projectId)
      .where('code', '=', target.code)
      .returningAll()
      .executeTakeFirst();
    if (row === undefined) throw notFound('feature');
    const detail = { code: target.code, changes: patch };
    await recordAudit(tx, { ...context, action: 'feature.updated', projectId: target.projectId, detail }, now);
    return row;
  });
}
