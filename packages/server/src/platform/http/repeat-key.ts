import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { canonicalJson } from '../canonical-json.ts';
import { principalOf } from './principal.ts';

/**
 * A text that is the same for a request and its repeats, and for nothing else: what the request asks of others can
 * carry it, so that a repeat after a failure half-way finds what the first try made. Without `Idempotency-Key` each
 * request stands for itself.
 */
export function repeatKey(request: FastifyRequest): string {
  const sent = request.headers['idempotency-key'];
  if (typeof sent !== 'string') return request.id;
  const { keyId } = principalOf(request);
  const what = [keyId, request.method, request.url, sent, request.body ?? null];
  return createHash('sha256').update(canonicalJson(what)).digest('hex');
}
