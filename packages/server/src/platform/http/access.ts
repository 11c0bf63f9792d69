/** Who may call what: authentication and the access rule of each route, before the body is read. */
import type { FastifyRequest, onRequestHookHandler } from 'fastify';
import { TollgateError } from '../errors.ts';
import type { FailedAttempts } from './failed-attempts.ts';
import type { Access, Principal } from './principal.ts';

/**
 * Finds the principal of a bearer token. Answers at once when it knows, so that a warm request never waits.
 * @returns null for a token that nobody has, or has no longer
 */
export type Authenticate = (bearer: string) => Principal | null | Promise<Principal | null>;

const BEARER = /^Bearer +(\S{1,512}) *$/i;
/** Keys that are random by construction cannot be guessed; an operator's key from the environment might be. */
const UNGUESSABLE = /^tg_[sp]k_/;

/**
 * The hook that guards one route.
 * @param access - the route's rule
 * @param authenticate - from the room that owns the keys
 * @param failures - counts failed attempts per address
 * @param guessable - whether any key that lets in could be guessed, so that guessing has to be made slow
 */
export function guard(
  access: Access,
  authenticate: Authenticate,
  failures: FailedAttempts,
  guessable = true,
): onRequestHookHandler {
  return (request, _reply, done) => {
    const { authorization } = request.headers;
    if (authorization === undefined) {
      done(unauthorized('No key was sent. Send "Authorization: Bearer <key>".'));
      return;
    }
    const bearer = BEARER.exec(authorization)?.[1];
    if (bearer === undefined) {
      done(unauthorized('The Authorization header is not of the form "Bearer <key>".'));
      return;
    }
    const guess = guessable && !UNGUESSABLE.test(bearer) ? bearer : null;
    if (guess !== null && failures.isGuessing(request.ip)) {
      done(failures.refusal(request.ip));
      return;
    }
    let found: ReturnType<Authenticate>;
    try {
      found = authenticate(bearer);
    } catch (error) {
      done(asError(error));
      return;
    }
    if (found instanceof Promise) {
      // Counted before it is looked up: a thousand guesses at once would all be made before the first has failed.
      if (guess !== null) failures.count(request.ip, guess);
      found.then(
        (principal) => {
          if (guess !== null) failures.forgive(request.ip, guess);
          done(admit(request, principal, { access, failures, guess }));
        },
        (error: unknown) => {
          // Nobody knows whether it was a guess.
          if (guess !== null) failures.forgive(request.ip, guess);
          done(asError(error));
        },
      );
    } else {
      done(admit(request, found, { access, failures, guess }));
    }
  };
}

/** Sets the principal, or answers with the refusal. */
function admit(
  request: FastifyRequest,
  principal: Principal | null,
  { access, failures, guess }: { access: Access; failures: FailedAttempts; guess: string | null },
): TollgateError | undefined {
  if (principal === null) {
    const tooOften = failures.exceeded(request.ip);
    failures.count(request.ip, guess);
    if (tooOften) return failures.refusal(request.ip);
    return unauthorized('The key is not valid: unknown, revoked or expired. Create or rotate a key of the project.');
  }
  request.principal = principal;
  return refusalOf(principal, access);
}

/** Why a principal may not call a route; undefined when it may. */
export function refusalOf(principal: Principal, access: Access): TollgateError | undefined {
  if ('public' in access || principal.kind === 'admin') return undefined;
  if ('admin' in access) {
    return new TollgateError('forbidden', 'This endpoint takes an admin key.');
  }
  switch (principal.kind) {
    case 'secret':
      return principal.scopes.includes(access.scope)
        ? undefined
        : new TollgateError('forbidden', `The key lacks the scope ${access.scope}. Use a key that has it.`);
    case 'publishable':
      return access.publishable === true
        ? undefined
        : new TollgateError('forbidden', 'A publishable key may only read the catalog. Use a secret key, on a server.');
    default:
      return principal satisfies never;
  }
}

function unauthorized(detail: string): TollgateError {
  return new TollgateError('unauthorized', detail);
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
