import type { FastifyRequest } from 'fastify';
import { principalOf } from '../platform/http/principal.ts';

/** Who does something and through which request: every administrative use case takes one. */
export interface AuditContext {
  /** A person or system in the operator's words, else the key. */
  actor: string;
  keyId: string | null;
  requestId: string | null;
}

/** The key of an operator that comes from the environment has this id. */
export const ENVIRONMENT_KEY_ID = 'admin';

/**
 * The context of a request.
 * @param actor - the body's `actor`; without it the key acts in its own name
 */
export function auditContextOf(request: FastifyRequest, actor?: string): AuditContext {
  const { keyId } = principalOf(request);
  const own = keyId === ENVIRONMENT_KEY_ID ? ENVIRONMENT_KEY_ID : `key:${keyId}`;
  return { actor: actor ?? own, keyId, requestId: request.id };
}
