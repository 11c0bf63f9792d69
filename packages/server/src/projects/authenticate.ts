/**
 * Who a bearer token belongs to. Answers from memory where it can, without a promise; a token is only ever held as its
 * hash. Whoever changes keys says so on `tollgate_keys`, and every process forgets what it knew.
 */
import { hash, timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { ENVIRONMENT_KEY_ID } from '../audit/context.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import { TollgateError } from '../platform/errors.ts';
import type { Principal, Scope } from '../platform/http/principal.ts';
import { within } from '../platform/within.ts';

/** NOTIFY channel: a key was revoked, rotated or given an expiry. */
export const KEYS_CHANNEL = 'tollgate_keys';

/** What use cases that change keys need: to make this process forget at once. */
export interface KeyCache {
  /** The key changed: whatever is known of it is wrong. */
  forget(keyId: string): void;
}

export interface Authenticator extends KeyCache {
  /** Null for a token that nobody has. A promise only when the database has to be asked. */
  authenticate(bearer: string): Principal | null | Promise<Principal | null>;
  /** Changes may have been missed: every key is read again before it is trusted, if the database can be reached. */
  doubt(): void;
  /** Writes what is known of last uses, and stops the timer. */
  close(): Promise<void>;
}

export interface AuthenticatorOptions {
  db: Database;
  clock: Clock;
  /** The operator's key from the environment. */
  adminKey?: string | undefined;
  /** Hears of reads that failed, and of writes of last uses that did; those are tried again. */
  onError?: (error: unknown) => void;
}

/** Safety net below the notifications. */
const FRESH_FOR_MS = 30_000;
/** A database that cannot be reached cannot have revoked anything either: what was known is good for this long. */
const STALE_FOR_MS = 10 * 60_000;
/** How long a read may take where what was known can answer, and where nothing is known. */
const PATIENCE_WITH_FALLBACK_MS = 1_000;
const PATIENCE_MS = 5_000;
/** After a failed read what was known answers at once for this long. */
const REST_AFTER_FAILURE_MS = 1_000;
const UNKNOWN_FOR_MS = 5_000;
const MAX_KNOWN = 10_000;
const MAX_UNKNOWN = 10_000;
/** Last uses are kept to the minute, and written together. */
const USE_PRECISION_MS = 60_000;
const WRITE_USES_AFTER_MS = 1_000;

interface Known {
  principal: Principal;
  /** Epoch milliseconds; Infinity for a key that does not expire. */
  expiresAt: number;
  readAt: number;
  /** False once changes may have been missed. */
  fresh: boolean;
  usedAt: number;
  /** When it could not be read again; the database rests for a moment after that. */
  failedAt: number;
}

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { db, clock } = options;
  const known = new LRUCache<string, Known>({ max: MAX_KNOWN });
  const unknown = new LRUCache<string, number>({ max: MAX_UNKNOWN });
  const asked = new Map<string, Promise<Principal | null>>();
  const adminDigest = options.adminKey === undefined ? null : Buffer.from(digestOf(options.adminKey), 'hex');
  const admin: Principal = { kind: 'admin', keyId: ENVIRONMENT_KEY_ID };
  const uses = createUses(db, options.onError ?? (() => {}));
  /** Grows with `forget`: an answer that was on its way then may be old, and is not kept. */
  let generation = 0;

  function startGeneration(): void {
    generation += 1;
    // Those under way may have read before the change; who comes now asks again.
    asked.clear();
  }

  function accept(entry: Known, now: number): Principal | null {
    if (entry.expiresAt <= now) return null;
    if (now - entry.usedAt >= USE_PRECISION_MS) {
      entry.usedAt = now;
      uses.add(entry.principal.keyId, now);
    }
    return entry.principal;
  }

  function usable(entry: Known): boolean {
    return Math.abs(clock.now() - entry.readAt) < STALE_FOR_MS;
  }

  async function ask(digest: string, stale: Known | undefined): Promise<Principal | null> {
    const askedIn = generation;
    let entry: Known | null;
    try {
      entry = await within(
        stale === undefined ? PATIENCE_MS : PATIENCE_WITH_FALLBACK_MS,
        read(db, digest, clock.now()),
      );
    } catch (error) {
      options.onError?.(error);
      if (stale !== undefined && usable(stale)) {
        stale.failedAt = clock.now();
        return accept(stale, clock.now());
      }
      throw new TollgateError('database_unavailable', 'The key cannot be looked up now. Try again shortly.', [], {
        retry_after: 1,
      });
    }
    if (entry === null) {
      if (askedIn === generation) unknown.set(digest, clock.now() + UNKNOWN_FOR_MS);
      known.delete(digest);
      return null;
    }
    entry.usedAt = stale?.usedAt ?? entry.usedAt;
    if (askedIn === generation) known.set(digest, entry);
    return accept(entry, clock.now());
  }

  return {
    authenticate(bearer) {
      const digest = digestOf(bearer);
      const now = clock.now();
      const entry = known.get(digest);
      // A clock that was set back must not make what is known fresh for as long.
      if (entry?.fresh === true && Math.abs(now - entry.readAt) < FRESH_FOR_MS) return accept(entry, now);
      if (entry !== undefined && Math.abs(now - entry.failedAt) < REST_AFTER_FAILURE_MS && usable(entry))
        return accept(entry, now);
      if (adminDigest !== null && timingSafeEqual(adminDigest, Buffer.from(digest, 'hex'))) return admin;
      const unknownUntil = unknown.get(digest);
      if (unknownUntil !== undefined && unknownUntil > now) return null;
      let answer = asked.get(digest);
      if (answer === undefined) {
        const asking = ask(digest, entry).finally(() => {
          if (asked.get(digest) === asking) asked.delete(digest);
        });
        asked.set(digest, asking);
        answer = asking;
      }
      return answer;
    },
    forget(keyId) {
      startGeneration();
      for (const [digest, entry] of known.entries()) {
        if (entry.principal.keyId === keyId) known.delete(digest);
      }
    },
    doubt() {
      startGeneration();
      unknown.clear();
      for (const entry of known.values()) entry.fresh = false;
    },
    close: () => uses.close(),
  };
}

function digestOf(bearer: string): string {
  return hash('sha256', bearer, 'hex');
}

async function read(db: Database, digest: string, now: number): Promise<Known | null> {
  const wanted = Buffer.from(digest, 'hex');
  const row = await db
    .selectFrom('tollgate.api_keys')
    .select(['id', 'kind', 'project_id', 'scopes', 'hash', 'expires_at', 'revoked_at', 'last_used_at'])
    .where('hash', '=', wanted)
    .executeTakeFirst();
  if (row === undefined || !timingSafeEqual(row.hash, wanted) || row.revoked_at !== null) return null;
  const expiresAt = row.expires_at?.getTime() ?? Number.POSITIVE_INFINITY;
  if (expiresAt <= now) return null;
  const principal = principalOfRow(row);
  const usedAt = row.last_used_at?.getTime() ?? 0;
  return principal === null ? null : { principal, expiresAt, readAt: now, fresh: true, usedAt, failedAt: 0 };
}

function principalOfRow(row: {
  id: string;
  kind: 'secret' | 'publishable' | 'admin';
  project_id: string | null;
  scopes: string[];
}): Principal | null {
  if (row.kind === 'admin') return { kind: 'admin', keyId: row.id };
  if (row.project_id === null) return null;
  return row.kind === 'secret'
    ? { kind: 'secret', keyId: row.id, projectId: row.project_id, scopes: row.scopes as Scope[] }
    : { kind: 'publishable', keyId: row.id, projectId: row.project_id };
}

/** Collects last uses and writes them together, off the path of requests. */
function createUses(db: Database, onError: (error: unknown) => void) {
  let pending = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();

  async function write(): Promise<void> {
    const batch = pending;
    pending = new Map();
    if (batch.size === 0) return;
    try {
      for (const [keyId, at] of batch) {
        await db
          .updateTable('tollgate.api_keys')
          .set({ last_used_at: new Date(at) })
          .where('id', '=', keyId)
          .execute();
      }
    } catch (error) {
      for (const [keyId, at] of batch) if (!pending.has(keyId)) pending.set(keyId, at);
      onError(error);
    }
  }

  function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    writing = writing.then(write);
    return writing;
  }

  return {
    add(keyId: string, at: number): void {
      pending.set(keyId, at);
      timer ??= setTimeout(flush, WRITE_USES_AFTER_MS).unref();
    },
    close: flush,
  };
}
