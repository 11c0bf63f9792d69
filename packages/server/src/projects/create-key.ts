import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';
import { getProject } from './find-project.ts';
import { insertKey, type KeyInput, type KeyRow } from './insert-key.ts';

/**
 * Adds a key to a project.
 * @throws TollgateError `not_found` without such a project; `invalid_request` for scopes on a publishable key, or an
 * expiry in the past
 */
export async function createKey(
  deps: { db: Database; clock: Clock },
  input: KeyInput,
  context: AuditContext,
): Promise<{ row: KeyRow; key: string }> {
  const now = deps.clock.now();
  if (input.kind === 'publishable' && input.scopes !== undefined) {
    throw new TollgateError('invalid_request', 'A publishable key has no scopes: it may only read the catalog.', [
      { path: 'scopes', message: 'is for secret keys' },
    ]);
  }
  if (input.expiresAt !== null && input.expiresAt.getTime() <= now) {
    throw new TollgateError('invalid_request', 'The key would have expired already. Choose a moment in the future.', [
      { path: 'expires_at', message: 'must be in the future' },
    ]);
  }
  return await deps.db.transaction().execute(async (tx) => {
    await getProject(tx, input.projectId);
    const made = await insertKey(tx, input, now);
    const { id, kind, name, scopes, expires_at } = made.row;
    await recordAudit(
      tx,
      {
        ...context,
        action: 'key.created',
        projectId: input.projectId,
        detail: { key: id, kind, name, scopes, expires_at },
      },
      now,
    );
    return made;
  });
}
