import type { AccessPolicy, Catalog } from '@tollgate/core';
import { sql } from 'kysely';
import { loadCatalog } from '../catalog/load-catalog.ts';
import type { Database, Tx } from '../platform/database.ts';
import { getProject } from '../projects/find-project.ts';

/** What turns facts into access: the project's catalog and policy, at one version. */
export interface Rules {
  projectId: string;
  catalogVersion: number;
  catalog: Catalog;
  policy: AccessPolicy;
}

/** Advisory locks of this class ("tgru") are held while a customer's snapshot follows from rules that were read. */
const LOCK_CLASS = 0x74677275;

/**
 * The rules that hold now. Ask after the customer is locked. Until the transaction ends `waitForReaders` waits for it:
 * the recomputation that follows a change of the rules then sees what came of the old ones.
 * @param known - rules read earlier; returned again when nothing has changed since
 * @throws TollgateError `not_found` when there is no such project
 */
export async function readRules(tx: Tx, projectId: string, known?: Rules): Promise<Rules> {
  // Shared, so that readers do not wait for each other; a statement of its own, so that the next one reads afterwards.
  await sql`select pg_advisory_xact_lock_shared(${LOCK_CLASS}::int, hashtext(${projectId}))`.execute(tx);
  // The version is read before what it stands for: the catalog may be newer than its label, never older.
  const { catalogVersion, accessPolicy } = await getProject(tx, projectId);
  if (known?.projectId === projectId && known.catalogVersion === catalogVersion) return known;
  return { projectId, catalogVersion, policy: accessPolicy, catalog: await loadCatalog(tx, projectId) };
}

/** Waits until nobody computes any more with rules that were read before this call. Hold no locks meanwhile. */
export async function waitForReaders(db: Database, projectId: string): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await sql`select pg_advisory_xact_lock(${LOCK_CLASS}::int, hashtext(${projectId}))`.execute(tx);
  });
}
