import { createHash } from 'node:crypto';
import { canonicalJson } from '../platform/canonical-json.ts';

/** What the chain protects: every column of an entry but its position. */
export interface HashedEntry {
  id: string;
  recorded_at: Date;
  actor: string;
  key_id: string | null;
  action: string;
  project_id: string | null;
  customer_id: string | null;
  reason: string | null;
  request_id: string | null;
  detail: Record<string, unknown>;
}

/** SHA-256 over the entry and the hash of the one before; the first entry follows nothing. */
export function entryHash(entry: HashedEntry, previous: Buffer | null): Buffer {
  const { id, recorded_at, actor, key_id, action, project_id, customer_id, reason, request_id, detail } = entry;
  const text = canonicalJson({
    id,
    recorded_at: recorded_at.toISOString(),
    actor,
    key_id,
    action,
    project_id,
    customer_id,
    reason,
    request_id,
    detail,
    previous: previous?.toString('hex') ?? null,
  });
  return createHash('sha256').update(text).digest();
}
