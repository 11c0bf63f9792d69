/** The only place that knows which HTTP status an error has, and the only one that writes problem documents. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { TollgateError } from '../errors.ts';
import { requestLog } from './request-log.ts';
import { API_HEADERS } from './security-headers.ts';

/** code → status and title. Any room may add a line. */
const PROBLEMS: Readonly<Record<string, readonly [status: number, title: string]>> = {
  invalid_request: [400, 'The request is not valid'],
  redirect_not_allowed: [400, 'The redirect URL is not allowed'],
  price_inactive: [400, 'The price is not active'],
  stripe_refused: [400, 'Stripe refused the request'],
  invalid_signature: [400, "The webhook's signature is not valid"],
  unauthorized: [401, 'The key is missing or not valid'],
  forbidden: [403, 'The key may not do this'],
  not_found: [404, 'Not found'],
  no_billing_account: [404, 'The customer has no billing account'],
  method_not_allowed: [405, 'The path does not take this method'],
  conflict: [409, 'The request conflicts with the present state'],
  connection_account_mismatch: [409, 'The key is of another Stripe account'],
  connection_exists: [409, 'The connection exists already'],
  connection_in_use: [409, 'Projects use the connection'],
  connection_fixed: [409, 'The project keeps its connection'],
  encryption_key_missing: [409, 'The installation cannot keep secrets'],
  live_refused: [409, 'This installation may have no live key'],
  already_subscribed: [409, 'The customer is already subscribed'],
  customer_linked: [409, 'The customer is linked to another Stripe customer'],
  feature_exists: [409, 'The feature exists already'],
  not_attachable: [409, 'The object cannot be attached to a customer'],
  not_parked: [409, 'The object is not parked'],
  other_connection: [409, 'The project uses another connection'],
  import_running: [409, 'An import into the project is running'],
  idempotency_in_progress: [409, 'The first request with this key is still running'],
  lookup_key_taken: [409, 'The lookup key is taken'],
  reconciliation_running: [409, 'A reconciliation of this scope is running'],
  slug_taken: [409, 'The slug is taken'],
  stripe_customer_taken: [409, 'The Stripe customer belongs to another customer'],
  too_many_endpoints: [409, 'The project has too many webhook endpoints'],
  trial_already_used: [409, 'The trial was used already'],
  payload_too_large: [413, 'The body is too large'],
  unsupported_media_type: [415, 'The body has a media type that is not taken'],
  idempotency_key_reused: [422, 'The idempotency key was used with another request'],
  rate_limited: [429, 'Too many requests'],
  headers_too_large: [431, 'The headers are too large'],
  internal: [500, 'Something went wrong on our side'],
  stripe_shape_unexpected: [502, "Stripe's answer could not be understood"],
  database_unavailable: [503, 'The database cannot be reached'],
  connection_unavailable: [503, 'The Stripe connection cannot be used'],
  checkout_busy: [503, 'Other checkout sessions of the customer are being made'],
  stripe_unavailable: [503, 'Stripe cannot be reached'],
};

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

export interface ProblemDocument {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  request_id: string;
  errors?: readonly { path: string; message: string }[];
  [extension: string]: unknown;
}

/** Fastify's own refusals, by their code. */
const FRAMEWORK_ERRORS: Readonly<Record<string, readonly [code: string, detail: string]>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    'unsupported_media_type',
    'Send the body as JSON with "Content-Type: application/json".',
  ],
  FST_ERR_CTP_BODY_TOO_LARGE: ['payload_too_large', 'The body is larger than this endpoint takes. Send less at once.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [
    'invalid_request',
    'The Content-Length header does not match the body. Let the HTTP client set it.',
  ],
  FST_ERR_MAX_PARAM_LENGTH: ['invalid_request', 'The path holds an id that is longer than any. Check it.'],
  FST_ERR_BAD_URL: ['invalid_request', 'The path is not valid percent-encoding. Encode each segment as UTF-8.'],
};

/** Text that PostgreSQL cannot store; validation refuses it first, this is the net below. */
const UNSTORABLE = new Set(['22021', '22P05']);
/** PostgreSQL refuses or ends connections, or none can be had. */
const DATABASE_GONE = new Set(['57P01', '57P02', '57P03', '53300', '08000', '08001', '08003', '08006']);
const NETWORK_GONE = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOENT', 'ETIMEDOUT']);
/** Refused before the body was read to its end. */
const BODY_UNREAD = new Set(['payload_too_large', 'unsupported_media_type']);

/**
 * The refusal behind anything thrown. What nobody foresaw becomes `internal` and keeps its message to itself.
 * @param error - anything that a handler, hook or plugin threw
 */
export function toTollgateError(error: unknown): TollgateError {
  if (error instanceof TollgateError) return error;
  const { code, statusCode } = described(error);
  const framework = FRAMEWORK_ERRORS[code];
  if (framework !== undefined) return new TollgateError(framework[0], framework[1]);
  if (UNSTORABLE.has(code)) {
    return new TollgateError('invalid_request', 'The request holds text that cannot be stored. Send valid UTF-8.');
  }
  if (DATABASE_GONE.has(code) || (NETWORK_GONE.has(code) && fromDatabase(error)) || isPoolTimeout(error)) {
    return new TollgateError('database_unavailable', 'The database cannot be reached now. Try again shortly.', [], {
      retry_after: 1,
    });
  }
  if (statusCode === 400) {
    return new TollgateError('invalid_request', 'The request could not be read. Check its syntax and headers.');
  }
  return new TollgateError(
    'internal',
    'The request failed for a reason of ours. Try again; if it persists, report the request_id.',
  );
}

function described(error: unknown): { code: string; statusCode: number } {
  if (typeof error !== 'object' || error === null) return { code: '', statusCode: 0 };
  return {
    code: 'code' in error && typeof error.code === 'string' ? error.code : '',
    statusCode: 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : 0,
  };
}

/** A refused connection of `pg` carries the system call that failed; Stripe's errors are translated by their room. */
function fromDatabase(error: unknown): boolean {
  return error instanceof Error && ('syscall' in error || 'errno' in error);
}

function isPoolTimeout(error: unknown): boolean {
  return (
    error instanceof Error &&
    (error.message === 'timeout exceeded when trying to connect' ||
      error.message.startsWith('Connection terminated') ||
      error.message.startsWith('Client has encountered a connection error'))
  );
}

/** The status that a code has; a code that nobody registered is a mistake of ours, and answers 500. */
export function statusOf(code: string): number {
  return PROBLEMS[code]?.[0] ?? 500;
}

/** Every code with its status and title, for the documentation. */
export function problemCodes(): { code: string; status: number; title: string }[] {
  return Object.entries(PROBLEMS).map(([code, [status, title]]) => ({ code, status, title }));
}

/** The problem document of an error (RFC 9457). */
export function problemOf(error: TollgateError, requestId: string): ProblemDocument {
  const known = PROBLEMS[error.code];
  const [status, title] = known ?? [500, 'Something went wrong on our side'];
  return {
    type: `urn:tollgate:problem:${error.code}`,
    title,
    status,
    detail: error.message,
    code: error.code,
    request_id: requestId,
    ...(error.errors.length > 0 ? { errors: error.errors } : {}),
    ...error.extensions,
  };
}

/** Answers with the problem of an error, and logs it when it is ours. */
export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const refusal = toTollgateError(error);
  const problem = problemOf(refusal, request.id);
  if (problem.status >= 500) {
    requestLog(request).error({ err: error, code: problem.code }, 'request failed');
  }
  // Not every route has them set by now: an error may come before, or in place of, what would have.
  if (!reply.hasHeader('x-content-type-options')) reply.headers(API_HEADERS);
  // The framework would close the connection, and who is still sending would get an error in place of the answer.
  if (BODY_UNREAD.has(problem.code)) reply.removeHeader('connection');
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer realm="tollgate"');
  const retryAfter = refusal.extensions.retry_after;
  if (typeof retryAfter === 'number') reply.header('retry-after', String(Math.max(1, Math.ceil(retryAfter))));
  return reply
    .code(problem.status)
    .header('content-type', PROBLEM_TYPE)
    .header('cache-control', 'no-store')
    .serializer(JSON.stringify)
    .send(problem);
}
