/** What a key is made of. A key is shown once; only its hash is kept. */
import { createHash, randomBytes } from 'node:crypto';

export type KeyKind = 'secret' | 'publishable' | 'admin';

const PREFIXES: Readonly<Record<KeyKind, string>> = {
  secret: 'tg_sk_',
  publishable: 'tg_pk_',
  admin: 'tg_admin_',
};
const RANDOM_BYTES = 32;

export interface NewKey {
  /** The key itself, for the one who asked and nobody else. */
  key: string;
  hash: Buffer;
  /** Enough to recognise it in a list: prefix and last four characters. */
  hint: string;
}

/** A fresh key: 256 random bits in base64url behind the prefix of its kind. */
export function newKey(kind: KeyKind): NewKey {
  const key = `${PREFIXES[kind]}${randomBytes(RANDOM_BYTES).toString('base64url')}`;
  return { key, hash: hashKey(key), hint: `${PREFIXES[kind]}…${key.slice(-4)}` };
}

/** SHA-256: keys are random, so a slow hash would protect nothing and cost every request. */
export function hashKey(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
