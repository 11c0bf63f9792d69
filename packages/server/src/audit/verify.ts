import type { Database } from '../platform/database.ts';
import { entryHash } from './entry-hash.ts';

export type ChainVerdict =
  /** `head` is the last hash in hex: kept elsewhere, it also proves that no entry was cut off the end. */
  | { intact: true; entries: number; head: string | null }
  | { intact: false; entries: number; brokenAt: { position: number; id: string }; why: 'changed' | 'not_linked' };

const BATCH = 500;

/** Walks the whole audit trail and computes every hash again. Memory stays flat. */
export async function verifyAuditChain(db: Database): Promise<ChainVerdict> {
  let previous: Buffer | null = null;
  let position = 0;
  let entries = 0;
  for (;;) {
    const batch = await db
      .selectFrom('tollgate.audit_entries')
      .selectAll()
      .where('position', '>', position)
      .orderBy('position')
      .limit(BATCH)
      .execute();
    for (const entry of batch) {
      const brokenAt = { position: entry.position, id: entry.id };
      if (!sameHash(entry.previous_hash, previous)) return { intact: false, entries, brokenAt, why: 'not_linked' };
      if (!entryHash(entry, previous).equals(entry.hash)) return { intact: false, entries, brokenAt, why: 'changed' };
      previous = entry.hash;
      position = entry.position;
      entries += 1;
    }
    if (batch.length < BATCH) return { intact: true, entries, head: previous?.toString('hex') ?? null };
  }
}

function sameHash(a: Buffer | null, b: Buffer | null): boolean {
  return a === null || b === null ? a === b : a.equals(b);
}
