import type { Tx } from '../platform/database.ts';
import { newId } from '../platform/ids.ts';
import type { CustomerRow } from './find.ts';

/**
 * The rows of several customers of one project, created on first sight and locked in the order of their ids.
 * @param externalIds - the app's own ids
 * @returns by the app's own ids
 */
export async function ensureCustomers(
  tx: Tx,
  {
    projectId,
    connectionId,
    externalIds,
    now,
  }: { projectId: string; connectionId: string; externalIds: readonly string[]; now: number },
): Promise<Map<string, CustomerRow>> {
  const wanted = [...new Set(externalIds)].sort();
  if (wanted.length === 0) return new Map();
  const at = new Date(now);
  await tx
    .insertInto('tollgate.customers')
    .values(
      wanted.map((externalId) => ({
        id: newId('cust'),
        project_id: projectId,
        external_id: externalId,
        email: null,
        name: null,
        connection_id: connectionId,
        stripe_customer_id: null,
        created_at: at,
        updated_at: at,
      })),
    )
    .onConflict((conflict) => conflict.columns(['project_id', 'external_id']).doNothing())
    .execute();
  const rows = await tx
    .selectFrom('tollgate.customers')
    .selectAll()
    .where('project_id', '=', projectId)
    .where((of) => of('external_id', '=', of.fn.any(of.val(wanted))))
    .orderBy('id')
    .forUpdate()
    .execute();
  return new Map(rows.map((row) => [row.external_id, row]));
}
