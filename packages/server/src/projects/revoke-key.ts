import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import { notify } from '../platform/notify.ts';
import { KEYS_CHANNEL, type KeyCache } from './authenticate.ts';
import type { KeyRow } from './insert-key.ts';
import { lockKey } from './lock-key.ts';

/**
 * Revokes a key for good, from this moment. Revoking it again changes nothing.
 * @throws TollgateError `not_found`
 */
export async function revokeKey(
  deps: { db: Database; clock: Clock; keys: KeyCache },
  { projectId, keyId }: { projectId: string; keyId: string },
  context: AuditContext,
): Promise<KeyRow> {
  const now = deps.clock.now();
  const row = await deps.db.transaction().execute(async (tx) => {
    const key = await lockKey(tx, projectId, keyId);
    if (key.revoked_at !== null) return key;
    const revoked = await tx
      .updateTable('tollgate.api_keys')
      .set({ revoked_at: new Date(now) })
      .where('id', '=', keyId)
      .returningAll()
      .executeTakeFirstOrThrow();
    await notify(tx, KEYS_CHANNEL, keyId);
    await recordAudit(tx, { ...context, action: 'key.revoked', projectId, detail: { key: keyId } }, now);
    return revoked;
  });
  deps.keys.forget(keyId);
  return row;
}
