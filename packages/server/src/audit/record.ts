import { sql } from 'kysely';
import type { Tx } from '../platform/database.ts';
import { newId } from '../platform/ids.ts';
import type { AuditContext } from './context.ts';
import { entryHash } from './entry-hash.ts';

export interface AuditAct extends AuditContext {
  /** `noun.verb` in the past: `grant.created`, `key.revoked`. */
  action: string;
  /** Null for what concerns the installation. */
  projectId: string | null;
  /** Tollgate's own `cust_…`: the audit holds no identity. */
  customerId?: string | null;
  reason?: string | null;
  /** Facts of the act, without secrets and without identity. */
  detail: Record<string, unknown>;
}

/** Serialises the writers of the chain: `tollgate.audit` as a number. */
const CHAIN_LOCK = 7_205_759_401;

/**
 * Adds an entry to the audit trail, in the transaction of the act itself. Writers wait for each other from here to
 * their commit, so this comes after every other lock of the transaction is taken.
 * @param now - epoch milliseconds
 * @returns the entry's id (`aud_…`)
 */
export async function recordAudit(tx: Tx, act: AuditAct, now: number): Promise<string> {
  await sql`select pg_advisory_xact_lock(${CHAIN_LOCK})`.execute(tx);
  const last = await tx
    .selectFrom('tollgate.audit_entries')
    .select('hash')
    .orderBy('position', 'desc')
    .limit(1)
    .executeTakeFirst();
  const entry = {
    id: newId('aud'),
    recorded_at: new Date(now),
    actor: act.actor,
    key_id: act.keyId,
    action: act.action,
    project_id: act.projectId,
    customer_id: act.customerId ?? null,
    reason: act.reason ?? null,
    request_id: act.requestId,
    // What is hashed is what will be read back: JSON, without undefined members.
    detail: JSON.parse(JSON.stringify(act.detail)) as Record<string, unknown>,
  };
  const previous = last?.hash ?? null;
  await tx
    .insertInto('tollgate.audit_entries')
    .values({
      ...entry,
      detail: JSON.stringify(entry.detail),
      previous_hash: previous,
      hash: entryHash(entry, previous),
    })
    .execute();
  return entry.id;
}
