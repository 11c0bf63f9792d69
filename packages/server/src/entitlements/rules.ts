import type { AccessPolicy, Catalog } from '@tollgate/core';
import { loadCatalog } from '../catalog/load-catalog.ts';
import type { Tx } from '../platform/database.ts';
import { noSuchProject, projectOfRow } from '../projects/find-project.ts';

/** What turns facts into access: the project's catalog and policy, at one version. */
export interface Rules {
  projectId: string;
  catalogVersion: number;
  catalog: Catalog;
  policy: AccessPolicy;
}

/**
 * The rules that hold now, and until the transaction ends: whoever changes them waits for it, and then recomputes every
 * customer, this one among them. Ask after the customer is locked; changes of rules lock no customer.
 * @param known - rules read earlier; returned again when nothing has changed since
 * @throws TollgateError `not_found` when there is no such project
 */
export async function lockRules(tx: Tx, projectId: string, known?: Rules): Promise<Rules> {
  const row = await tx
    .selectFrom('tollgate.projects')
    .selectAll()
    .where('id', '=', projectId)
    .forShare()
    .executeTakeFirst();
  if (row === undefined) throw noSuchProject();
  const { catalogVersion, accessPolicy } = projectOfRow(row);
  if (known?.projectId === projectId && known.catalogVersion === catalogVersion) return known;
  return { projectId, catalogVersion, policy: accessPolicy, catalog: await loadCatalog(tx, projectId) };
}
