import type { Selectable } from 'kysely';
import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import { checkedMappings } from '../catalog/mappings.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database, Queryable } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';
import { newId } from '../platform/ids.ts';
import { enqueueLongWork, type LongJob } from '../platform/long-work.ts';
import { getProject } from '../projects/find-project.ts';
import { holdSellingConnection } from '../projects/selling-connection.ts';
import type { Schema } from '../schema.ts';
import type { ImportRequest } from './import-request.ts';

export type ImportRow = Selectable<Schema['tollgate.imports']>;

export const IMPORT_JOB = { task: 'import', row: 'import' } as const satisfies LongJob;

export interface StartImportInput {
  projectId: string;
  dryRun: boolean;
  request: ImportRequest;
  reason: string;
}

/**
 * Records an import and its job, with an entry in the audit trail.
 * @returns the import, `queued`
 * @throws TollgateError `not_found` (project), `invalid_request` (mappings), `import_running` (with `import_id`) while
 *   one of the same project has not ended
 */
export async function startImport(
  { db, clock }: { db: Database; clock: Clock },
  { projectId, dryRun, request, reason }: StartImportInput,
  context: AuditContext,
): Promise<ImportRow> {
  await getProject(db, projectId);
  await checkProducts(db, projectId, request);
  const now = clock.now();
  return await db.transaction().execute(async (tx) => {
    const connectionId = await holdSellingConnection(tx, projectId);
    const started = await tx
      .insertInto('tollgate.imports')
      .values({
        id: newId('imp'),
        project_id: projectId,
        connection_id: connectionId,
        dry_run: dryRun,
        status: 'queued',
        request: JSON.stringify(request),
        reason,
        actor: context.actor,
        counts: '{}',
        created_at: new Date(now),
      })
      // Of two that start together, the index lets one through and the other waits to see it.
      .onConflict((conflict) => conflict.doNothing())
      .returningAll()
      .executeTakeFirst();
    if (started === undefined) throw await alreadyRunning(tx, projectId);
    await enqueueLongWork(tx, IMPORT_JOB, started.id);
    const detail = { import: started.id, dry_run: dryRun, ...request };
    await recordAudit(tx, { ...context, action: 'import.started', projectId, reason, detail }, now);
    return started;
  });
}

async function checkProducts(db: Database, projectId: string, { products }: ImportRequest): Promise<void> {
  if (products === 'all') return;
  const seen = new Set<string>();
  for (const [index, { product, features }] of products.entries()) {
    const path = `products.${index}`;
    if (seen.has(product)) {
      const errors = [{ path: `${path}.product`, message: 'is named twice' }];
      throw new TollgateError('invalid_request', 'Each product can be named once.', errors);
    }
    seen.add(product);
    if (features !== undefined) await checked(db, projectId, features, path);
  }
}

async function checked(db: Database, projectId: string, features: Parameters<typeof checkedMappings>[2], path: string) {
  try {
    await checkedMappings(db, projectId, features);
  } catch (error) {
    if (!(error instanceof TollgateError)) throw error;
    const errors = error.errors.map((one) => ({ ...one, path: `${path}.${one.path}` }));
    throw new TollgateError(error.code, error.message, errors, error.extensions);
  }
}

async function alreadyRunning(tx: Queryable, projectId: string): Promise<TollgateError> {
  const running = await tx
    .selectFrom('tollgate.imports')
    .select('id')
    .where('status', 'in', ['queued', 'running'])
    .where('project_id', '=', projectId)
    .executeTakeFirst();
  return new TollgateError(
    'import_running',
    'An import into the project has not ended yet. Wait for it: GET /api/v1/admin/imports/{id}.',
    [],
    running === undefined ? {} : { import_id: running.id },
  );
}
