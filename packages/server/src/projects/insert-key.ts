import type { Selectable } from 'kysely';
import type { Tx } from '../platform/database.ts';
import { SCOPES, type Scope } from '../platform/http/principal.ts';
import { newId } from '../platform/ids.ts';
import type { Schema } from '../schema.ts';
import { type KeyKind, newKey } from './keys.ts';

export type KeyRow = Selectable<Schema['tollgate.api_keys']>;

export interface KeyInput {
  projectId: string;
  kind: Exclude<KeyKind, 'admin'>;
  name: string | null;
  /** Of a secret key; a publishable one has none. Default all. */
  scopes?: readonly Scope[] | undefined;
  expiresAt: Date | null;
}

/** Makes a key and stores its hash. The key itself is in the answer, and nowhere else. */
export async function insertKey(tx: Tx, input: KeyInput, now: number): Promise<{ row: KeyRow; key: string }> {
  const { key, hash, hint } = newKey(input.kind);
  const row = await tx
    .insertInto('tollgate.api_keys')
    .values({
      id: newId('key'),
      project_id: input.projectId,
      kind: input.kind,
      name: input.name,
      hash,
      hint,
      scopes: input.kind === 'secret' ? [...(input.scopes ?? SCOPES)] : [],
      expires_at: input.expiresAt,
      revoked_at: null,
      last_used_at: null,
      rotated_to: null,
      created_at: new Date(now),
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  return { row, key };
}
