import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';
import type { Scope } from '../platform/http/principal.ts';
import { notify } from '../platform/notify.ts';
import { KEYS_CHANNEL, type KeyCache } from './authenticate.ts';
import { insertKey, type KeyRow } from './insert-key.ts';
import { lockKey } from './lock-key.ts';

export interface Rotation {
  row: KeyRow;
  /** The new key, shown this once. */
  key: string;
  replaced: KeyRow;
}

/**
 * Replaces a key by a new one with the same kind, name, scopes and expiry. The old one works for the overlap, and no
 * longer than it would have.
 * @throws TollgateError `not_found`; `conflict` for a key that is revoked, expired or already replaced
 */
export async function rotateKey(
  deps: { db: Database; clock: Clock; keys: KeyCache },
  { projectId, keyId, overlapSeconds }: { projectId: string; keyId: string; overlapSeconds: number },
  context: AuditContext,
): Promise<Rotation> {
  const now = deps.clock.now();
  const rotation = await deps.db.transaction().execute(async (tx) => {
    const old = await lockKey(tx, projectId, keyId);
    refuseEnded(old, now);
    const made = await insertKey(
      tx,
      {
        projectId,
        kind: old.kind === 'publishable' ? 'publishable' : 'secret',
        name: old.name,
        scopes: old.scopes as Scope[],
        expiresAt: old.expires_at,
      },
      now,
    );
    const ends = Math.min(now + overlapSeconds * 1000, old.expires_at?.getTime() ?? Number.POSITIVE_INFINITY);
    const replaced = await tx
      .updateTable('tollgate.api_keys')
      .set({
        rotated_to: made.row.id,
        ...(ends <= now ? { revoked_at: new Date(now) } : { expires_at: new Date(ends) }),
      })
      .where('id', '=', keyId)
      .returningAll()
      .executeTakeFirstOrThrow();
    await notify(tx, KEYS_CHANNEL, keyId);
    const detail = { key: keyId, replaced_by: made.row.id, overlap_seconds: overlapSeconds };
    await recordAudit(tx, { ...context, action: 'key.rotated', projectId, detail }, now);
    return { ...made, replaced };
  });
  deps.keys.forget(keyId);
  return rotation;
}

function refuseEnded(key: KeyRow, now: number): void {
  const why =
    key.revoked_at !== null
      ? 'is revoked'
      : key.expires_at !== null && key.expires_at.getTime() <= now
        ? 'has expired'
        : key.rotated_to !== null
          ? 'was rotated already'
          : null;
  if (why !== null) throw new TollgateError('conflict', `The key ${why}. Create a new key instead.`);
}
