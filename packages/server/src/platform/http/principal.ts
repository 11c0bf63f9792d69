import type { FastifyRequest } from 'fastify';
import { TollgateError } from '../errors.ts';

/** What a secret key may do; a new key has all of them unless it is told otherwise. */
export const SCOPES = [
  'entitlements:read',
  'checkout:write',
  'catalog:read',
  'catalog:write',
  'customers:read',
  'customers:write',
  'metrics:read',
] as const;
export type Scope = (typeof SCOPES)[number];

/** Who is calling. */
export type Principal =
  | { kind: 'secret'; keyId: string; projectId: string; scopes: readonly Scope[] }
  | { kind: 'publishable'; keyId: string; projectId: string }
  | { kind: 'admin'; keyId: string };

/**
 * Who may call a route. A scope route takes a secret key with that scope, an admin key (which then names the
 * project), and, where it says so, a publishable key.
 */
export type Access = { public: true } | { admin: true } | { scope: Scope; publishable?: true };

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the access hook before the body is read; null on public routes. */
    principal: Principal | null;
    /** The pattern of the route, or `unmatched`. */
    route: string;
  }
  interface FastifyContextConfig {
    /** Required on every route: the app does not start without it. */
    access?: Access;
    /** `false`: a POST that changes nothing, or that has its own protection against repeats. */
    idempotent?: boolean;
    /** Hands the handler the body's bytes (a `Buffer`), as signatures are made over bytes. */
    rawBody?: boolean;
    /** Answers with `sendPrepared`, which brings the headers of every answer with it. */
    prepared?: boolean;
    /** Serves pages rather than JSON: gets the content security policy for pages. */
    page?: boolean;
  }
}

/** The caller of a route that is not public. */
export function principalOf(request: FastifyRequest): Principal {
  if (request.principal === null) throw new Error(`No principal on ${request.url}: the route is public.`);
  return request.principal;
}

/**
 * The project that a request is about: the key's own, or for an admin key the `project_id` of query or body.
 * Whether an admin's project exists is for the room to find out.
 * @throws TollgateError `invalid_request` when an admin key names no project, or a project key names one
 */
export function projectOf(request: FastifyRequest): string {
  const principal = principalOf(request);
  const [inQuery, inBody] = [projectIdIn(request.query), projectIdIn(request.body)];
  if (inQuery !== undefined && inBody !== undefined && inQuery !== inBody) {
    throw new TollgateError('invalid_request', 'Query and body name different projects. Send project_id once.', [
      { path: 'project_id', message: 'is not the same in query and body' },
    ]);
  }
  const named = inQuery ?? inBody;
  if (principal.kind === 'admin') {
    if (named === undefined) {
      throw new TollgateError('invalid_request', 'An admin key has to name the project: send project_id.', [
        { path: 'project_id', message: 'is required with an admin key' },
      ]);
    }
    return named;
  }
  if (named !== undefined) {
    throw new TollgateError('invalid_request', "The key's project is implied: leave project_id out.", [
      { path: 'project_id', message: 'is taken from the key' },
    ]);
  }
  return principal.projectId;
}

function projectIdIn(source: unknown): string | undefined {
  if (typeof source !== 'object' || source === null || !('project_id' in source)) return undefined;
  return typeof source.project_id === 'string' ? source.project_id : undefined;
}
