/**
 * `Idempotency-Key`: a repeat of a POST gets the first answer, and nothing happens twice. The first request takes a
 * row; while it runs it renews the row, so that a row that is not renewed belongs to a process that died.
 */
import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { canonicalJson } from '../canonical-json.ts';
import type { Clock } from '../clock.ts';
import type { Database } from '../database.ts';
import { TollgateError } from '../errors.ts';
import { principalOf } from './principal.ts';
import { requestLog } from './request-log.ts';

export interface IdempotencyOptions {
  db: Database;
  clock: Clock;
  /** After this long without a sign of life the first request counts as dead. Default 60 s. */
  staleAfterMs?: number;
}

/** For so long a repeat is one; after that the same key stands for a new request. */
export const KEPT_FOR_MS = 24 * 60 * 60 * 1000;
const STALE_AFTER_MS = 60_000;
/** A handler that hangs for longer stops counting as alive. */
const LONGEST_RUN_MS = 10 * 60_000;
const KEPT_HEADERS = ['content-type', 'location', 'etag', 'www-authenticate', 'retry-after'];
/** Members that hold a key that is shown once. */
const SECRETS = new Set(['secret_key', 'publishable_key', 'key', 'signing_secret']);
const PRINTABLE = /^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/;

/** The row that a request holds while it runs. */
interface Held {
  keyId: string;
  methodPath: string;
  idempotencyKey: string;
  lockedAt: Date;
  startedAt: number;
  heartbeat?: NodeJS.Timeout;
  /** The signs of life, one after the other. */
  renewal?: Promise<void>;
}

const held = new WeakMap<FastifyRequest, Held>();

/** Whether a route takes `Idempotency-Key`: every POST of a known caller that does not say otherwise. */
export function takesIdempotencyKey(route: RouteOptions): boolean {
  const methods = Array.isArray(route.method) ? route.method : [route.method];
  const access = route.config?.access;
  return (
    methods.includes('POST') && route.config?.idempotent !== false && access !== undefined && !('public' in access)
  );
}

/** The hooks of a route that takes `Idempotency-Key`: one before validation, one before the answer is sent. */
export function idempotencyHooks(options: IdempotencyOptions) {
  const staleAfterMs = options.staleAfterMs ?? STALE_AFTER_MS;
  return {
    preValidation: async (request: FastifyRequest, reply: FastifyReply) => {
      const idempotencyKey = keyOf(request);
      if (idempotencyKey === undefined) return undefined;
      return await begin(options, staleAfterMs, idempotencyKey, request, reply);
    },
    onSend: async (request: FastifyRequest, reply: FastifyReply, payload: unknown) => {
      const mine = held.get(request);
      if (mine !== undefined) {
        held.delete(request);
        await finish(options.db, mine, reply, payload);
      }
      return payload;
    },
  };
}

function keyOf(request: FastifyRequest): string | undefined {
  const header = request.headers['idempotency-key'];
  if (header === undefined) return undefined;
  if (typeof header === 'string' && PRINTABLE.test(header)) return header;
  throw new TollgateError('invalid_request', 'Idempotency-Key has to be 1 to 255 printable ASCII characters.', [
    { path: 'Idempotency-Key', message: 'must be 1 to 255 printable ASCII characters' },
  ]);
}

async function begin(
  { db, clock }: IdempotencyOptions,
  staleAfterMs: number,
  idempotencyKey: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply | undefined> {
  const keyId = principalOf(request).keyId;
  const methodPath = `${request.method} ${pathOf(request)}`;
  const requestHash = createHash('sha256')
    .update(canonicalJson([request.query, request.body ?? null]))
    .digest();
  const now = clock.now();
  const lockedAt = new Date(now);
  const fresh = {
    request_hash: requestHash,
    response_status: null,
    response_headers: null,
    response_body: null,
    locked_at: lockedAt,
    created_at: lockedAt,
  };
  const taken = await db
    .insertInto('tollgate.idempotency_keys')
    .values({ key_id: keyId, method_path: methodPath, idempotency_key: idempotencyKey, ...fresh })
    // Taken over: what is older than a day, and what a dead process left, unless the body differs.
    .onConflict((conflict) =>
      conflict
        .columns(['key_id', 'method_path', 'idempotency_key'])
        .doUpdateSet(fresh)
        .where((where) =>
          where.or([
            where('tollgate.idempotency_keys.created_at', '<=', new Date(now - KEPT_FOR_MS)),
            where.and([
              where('tollgate.idempotency_keys.response_status', 'is', null),
              where('tollgate.idempotency_keys.locked_at', '<=', new Date(now - staleAfterMs)),
              where('tollgate.idempotency_keys.request_hash', '=', requestHash),
            ]),
          ]),
        ),
    )
    .returning('key_id')
    .executeTakeFirst();
  if (taken === undefined) return await repeat(db, { keyId, methodPath, idempotencyKey, requestHash }, reply);

  const mine: Held = { keyId, methodPath, idempotencyKey, lockedAt, startedAt: now };
  mine.heartbeat = setInterval(() => {
    mine.renewal = (mine.renewal ?? Promise.resolve()).then(() => renew(db, clock, mine, request));
  }, staleAfterMs / 3).unref();
  held.set(request, mine);
  return undefined;
}

/** Answers a request whose key is taken: with the stored answer, or with why there is none. */
async function repeat(
  db: Database,
  row: { keyId: string; methodPath: string; idempotencyKey: string; requestHash: Buffer },
  reply: FastifyReply,
): Promise<FastifyReply> {
  const first = await db
    .selectFrom('tollgate.idempotency_keys')
    .select(['request_hash', 'response_status', 'response_headers', 'response_body'])
    .where('key_id', '=', row.keyId)
    .where('method_path', '=', row.methodPath)
    .where('idempotency_key', '=', row.idempotencyKey)
    .executeTakeFirst();
  if (first !== undefined && !first.request_hash.equals(row.requestHash)) {
    throw new TollgateError(
      'idempotency_key_reused',
      'This Idempotency-Key belongs to a request with another body. Use a new key for a new request.',
    );
  }
  // Gone: the first one failed just now, and its repeat may run.
  if (first === undefined || first.response_status === null) {
    throw new TollgateError(
      'idempotency_in_progress',
      'The first request with this Idempotency-Key is still running. Repeat it shortly to get its answer.',
      [],
      { retry_after: 1 },
    );
  }
  return reply
    .code(first.response_status)
    .headers({ ...first.response_headers, 'idempotent-replayed': 'true' })
    .serializer((body: string) => body)
    .send(first.response_body ?? '');
}

/** Says that the first request is alive. A database that cannot be reached is for the request itself to notice. */
async function renew(db: Database, clock: Clock, mine: Held, request: FastifyRequest): Promise<void> {
  if (clock.now() - mine.startedAt > LONGEST_RUN_MS) {
    clearInterval(mine.heartbeat);
    return;
  }
  const lockedAt = new Date(clock.now());
  try {
    const { numUpdatedRows } = await ownRow(db, mine).set({ locked_at: lockedAt }).executeTakeFirstOrThrow();
    if (numUpdatedRows > 0n) mine.lockedAt = lockedAt;
  } catch (error) {
    requestLog(request).warn({ err: error }, 'idempotency key not renewed');
  }
}

/** The row of a request that still runs, as long as nobody took it over. */
function ownRow(db: Database, mine: Held) {
  return db
    .updateTable('tollgate.idempotency_keys')
    .where('key_id', '=', mine.keyId)
    .where('method_path', '=', mine.methodPath)
    .where('idempotency_key', '=', mine.idempotencyKey)
    .where('response_status', 'is', null)
    .where('locked_at', '=', mine.lockedAt);
}

/** Keeps the answer for repeats, or frees the key when the answer says nothing about the request. */
async function finish(db: Database, mine: Held, reply: FastifyReply, payload: unknown): Promise<void> {
  clearInterval(mine.heartbeat);
  // It changes by what the row is recognised.
  await mine.renewal;
  const { statusCode } = reply;
  try {
    if (statusCode === 401 || statusCode === 429 || statusCode >= 500) {
      await db
        .deleteFrom('tollgate.idempotency_keys')
        .where('key_id', '=', mine.keyId)
        .where('method_path', '=', mine.methodPath)
        .where('idempotency_key', '=', mine.idempotencyKey)
        .where('response_status', 'is', null)
        .where('locked_at', '=', mine.lockedAt)
        .execute();
      return;
    }
    await ownRow(db, mine)
      .set({
        response_status: statusCode,
        response_headers: JSON.stringify(keptHeaders(reply)),
        response_body: withoutSecrets(textOf(payload)),
      })
      .execute();
  } catch (error) {
    // The work is done and its answer is owed; the row turns stale, and a repeat would run again.
    requestLog(reply.request).error({ err: error }, 'answer not kept for repeats');
  }
}

function keptHeaders(reply: FastifyReply): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of KEPT_HEADERS) {
    const value = reply.getHeader(name);
    if (value !== undefined) kept[name] = String(value);
  }
  return kept;
}

function textOf(payload: unknown): string {
  if (typeof payload === 'string') return payload;
  return Buffer.isBuffer(payload) ? payload.toString('utf8') : '';
}

/** Replaces the keys that an answer shows once with null: they are not stored anywhere. */
function withoutSecrets(body: string): string {
  if (![...SECRETS].some((name) => body.includes(`"${name}"`))) return body;
  return JSON.stringify(JSON.parse(body), (name, value: unknown) =>
    SECRETS.has(name) && typeof value === 'string' ? null : value,
  );
}

function pathOf(request: FastifyRequest): string {
  const end = request.url.indexOf('?');
  return end === -1 ? request.url : request.url.slice(0, end);
}

/**
 * Forgets answers that are older than a day.
 * @returns how many were forgotten
 */
export async function forgetOldAnswers(db: Database, now: number): Promise<number> {
  const { numDeletedRows } = await db
    .deleteFrom('tollgate.idempotency_keys')
    .where('created_at', '<=', new Date(now - KEPT_FOR_MS))
    .executeTakeFirstOrThrow();
  return Number(numDeletedRows);
}
