import { DEFAULT_ACCESS_POLICY } from '@tollgate/core';
import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';
import { newId } from '../platform/ids.ts';
import { type Project, projectOfRow } from './find-project.ts';
import { insertKey } from './insert-key.ts';
import { lockSellingConnection } from './selling-connection.ts';

export interface CreateProjectInput {
  name: string;
  /** `[a-z0-9-]`, unique in the installation. */
  slug: string;
  /** The Stripe connection that the project sells through. Default `default`. */
  connectionId?: string | undefined;
}

export interface CreatedProject {
  project: Project;
  /** Shown this once. */
  secretKey: string;
  publishableKey: string;
}

/**
 * Creates a project with a secret key of every scope and a publishable key.
 * @throws TollgateError `slug_taken`, `invalid_request` for a connection that was taken out of use
 */
export async function createProject(
  deps: { db: Database; clock: Clock },
  input: CreateProjectInput,
  context: AuditContext,
): Promise<CreatedProject> {
  const now = deps.clock.now();
  const at = new Date(now);
  return await deps.db.transaction().execute(async (tx) => {
    await lockSellingConnection(tx, input.connectionId ?? 'default');
    const row = await tx
      .insertInto('tollgate.projects')
      .values({
        id: newId('prj'),
        name: input.name,
        slug: input.slug,
        connection_id: input.connectionId ?? 'default',
        access_policy: JSON.stringify(DEFAULT_ACCESS_POLICY),
        created_at: at,
        updated_at: at,
      })
      .onConflict((conflict) => conflict.column('slug').doNothing())
      .returningAll()
      .executeTakeFirst();
    if (row === undefined) {
      throw new TollgateError('slug_taken', `There is a project with the slug "${input.slug}". Choose another slug.`, [
        { path: 'slug', message: 'is taken' },
      ]);
    }
    const keys = { projectId: row.id, name: null, expiresAt: null };
    const secret = await insertKey(tx, { ...keys, kind: 'secret' }, now);
    const publishable = await insertKey(tx, { ...keys, kind: 'publishable' }, now);
    await recordAudit(
      tx,
      {
        ...context,
        action: 'project.created',
        projectId: row.id,
        detail: { name: row.name, slug: row.slug, keys: [secret.row.id, publishable.row.id] },
      },
      now,
    );
    return { project: projectOfRow(row), secretKey: secret.key, publishableKey: publishable.key };
  });
}
