/**
 * The HTTP application without any route: how requests are read, guarded, limited, answered and logged. Rooms add their
 * routes with whole paths (`/api/v1/check`).
 */
import { isUtf8 } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import rateLimit from '@fastify/rate-limit';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type onRequestHookHandler,
  type onSendHookHandler,
  type preValidationHookHandler,
  type RawReplyDefaultExpression,
  type RawRequestDefaultExpression,
  type RawServerDefault,
  type RouteOptions,
} from 'fastify';
import type { Clock } from '../clock.ts';
import type { Database } from '../database.ts';
import { TollgateError } from '../errors.ts';
import type { Log } from '../log.ts';
import { type Authenticate, guard } from './access.ts';
import type { Answered } from './access-log.ts';
import { openObjects } from './closed-schemas.ts';
import { createFailedAttempts, type FailedAttemptLimits } from './failed-attempts.ts';
import { idempotencyHooks, takesIdempotencyKey } from './idempotency.ts';
import { createObserver } from './observer.ts';
import { documented, registerOpenApi } from './openapi.ts';
import type { Access } from './principal.ts';
import { PROBLEM_TYPE, problemOf, sendProblem } from './problems.ts';
import { Closed, namedSchemas, WithProject } from './schemas.ts';
import { API_HEADERS, PAGE_HEADERS } from './security-headers.ts';
import { compileValidator, parseJson, unstorable } from './validation.ts';

export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/** One route, as the table of who may call what sees it. */
export interface Endpoint {
  method: string;
  /** With parameters: `/api/v1/products/:id`. */
  url: string;
  access: Access;
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Every route that the service answers, in the order of registration. */
    endpoints: readonly Endpoint[];
  }
}

export interface AppOptions {
  log: Log;
  authenticate: Authenticate;
  db: Database;
  clock: Clock;
  /** The service's version, for the OpenAPI document. */
  version?: string;
  /** Largest body in bytes where the route says nothing else. Default 1 MiB. */
  bodyLimit?: number;
  /** Requests that one key may make per window on the routes that are limited. Default 100 a second. */
  rateLimit?: { max: number; windowMs: number };
  /** Failed authentications that one address may have. Default 300 a minute, and 60 different keys that may be guesses. */
  failedAttempts?: FailedAttemptLimits;
  /** Whether a key that lets in could be guessed: whoever knows it then waits behind those who guess. Default true. */
  guessable?: boolean;
  /** Proxies whose `X-Forwarded-For` is believed: Fastify's `trustProxy`. Default none. */
  trustProxy?: boolean | string;
  /** After this long without a sign of life an idempotent request counts as dead. Default 60 s. */
  idempotencyStaleAfterMs?: number;
  /** Called once for every answer. */
  onAnswered?: (answered: Answered) => void;
}

const MEBIBYTE = 1024 * 1024;
/** Whoever tries every endpoint with a key that was revoked is told so each time, and is not taken for a burglar. */
const FAILED_ATTEMPTS: FailedAttemptLimits = { max: 300, maxGuesses: 60, windowMs: 60_000 };
/** How often connections without a request are closed, once the service takes no more. */
const SWEEP_MS = 100;
const MAX_HEADER_BYTES = 16 * 1024;

/**
 * Makes the application; the caller adds routes and listens.
 * @throws Error when a route is added without `config.access`, or with a schema that would let unknown fields pass
 */
export async function createApp(options: AppOptions): Promise<App> {
  const app: App = Fastify({
    // The framework's own logging makes a logger for every request; nearly all of them say nothing (see requestLog).
    logger: false,
    bodyLimit: options.bodyLimit ?? MEBIBYTE,
    genReqId: requestIds(),
    requestIdHeader: false,
    trustProxy: options.trustProxy ?? false,
    exposeHeadRoutes: false,
    forceCloseConnections: 'idle',
    // A slow sender must not hold a connection for ever; checks answer long before this.
    requestTimeout: 60_000,
    keepAliveTimeout: 72_000,
    http: { maxHeaderSize: MAX_HEADER_BYTES },
    routerOptions: { maxParamLength: 2_000, ignoreTrailingSlash: false },
    clientErrorHandler: answerUnreadable,
    frameworkErrors: (error, request, reply) => void sendProblem(error, request, reply),
  }).withTypeProvider<TypeBoxTypeProvider>();

  app.decorateRequest('principal', null);
  app.decorateRequest('route', 'unmatched');
  app.decorateRequest('arrivedAt', 0);
  app.decorate('serviceLog', options.log);
  const observer = createObserver(options);
  app.decorate('observe', observer.observe);
  app.addHook('onClose', async () => observer.flush());
  app.setValidatorCompiler(compileValidator);
  for (const [name, schema] of namedSchemas()) app.addSchema({ ...schema, $id: name });
  app.setErrorHandler((error, request, reply) => sendProblem(error, request, reply));
  readBodies(app);

  const endpoints: Endpoint[] = [];
  app.decorate('endpoints', endpoints);
  answerUnmatched(app, endpoints);

  app.addHook('onRequest', (request, _reply, done) => {
    request.arrivedAt = performance.now();
    done(request.url.includes('%00') ? unstorable('') : undefined);
  });
  await limitRates(app, options);
  app.addHook('onRoute', prepareRoute(options, endpoints));
  letGoOfConnections(app);
  await registerOpenApi(app as unknown as FastifyInstance, options.version ?? '0.0.0');
  return app;
}

/** Gives each route its guard, its protection against repeats, and its documentation. */
function prepareRoute(options: AppOptions, endpoints: Endpoint[]): (route: RouteOptions) => void {
  const failures = createFailedAttempts(options.clock, options.failedAttempts ?? FAILED_ATTEMPTS);
  const repeats = idempotencyHooks({
    db: options.db,
    clock: options.clock,
    ...(options.idempotencyStaleAfterMs === undefined ? {} : { staleAfterMs: options.idempotencyStaleAfterMs }),
  });
  return (route) => {
    if (route.url === '/docs' || route.url.startsWith('/docs/')) {
      route.config = { ...route.config, access: { public: true }, page: true };
    }
    const access = route.config?.access;
    const methods = [route.method].flat();
    const name = `${methods.join(', ')} ${route.url}`;
    if (access === undefined) throw new Error(`${name} does not say who may call it: set config.access.`);
    if (!('public' in access)) {
      // What no route names is refused in a query as it is in a body; an admin key may name its project in either.
      route.schema = { ...route.schema, querystring: route.schema?.querystring ?? queryOf(access) };
    }
    refuseOpenSchemas(name, route);
    for (const method of methods) endpoints.push({ method, url: route.url, access });

    const headers = route.config?.page ? PAGE_HEADERS : route.config?.prepared ? null : API_HEADERS;
    const first: onRequestHookHandler = (request, reply, done) => {
      request.route = route.url;
      if (headers !== null) reply.headers(headers);
      done();
    };
    const guarded = 'public' in access ? [] : [guard(access, options.authenticate, failures, options.guessable)];
    const hooks = [first, ...guarded];
    route.onRequest = [...hooks, ...[route.onRequest ?? []].flat()];
    const preValidation = [route.preValidation ?? []].flat();
    const mayHaveBody = !methods.every((method) => method === 'GET' || method === 'HEAD');
    if (mayHaveBody && route.schema?.body === undefined && route.config?.rawBody !== true) {
      preValidation.unshift(refuseBody);
    }
    const onSend = [route.onSend ?? []].flat();
    if (takesIdempotencyKey(route)) {
      preValidation.unshift(repeats.preValidation);
      onSend.push(repeats.onSend);
    }
    route.preValidation = preValidation;
    route.onSend = [...onSend, observeSent];
    if (route.schema?.hide !== true) route.schema = documented(route);
  };
}

/** The last hook before an answer is written. */
const observeSent: onSendHookHandler = (request, reply, payload, done) => {
  request.server.observe(request, reply.statusCode);
  done(null, payload);
};

function queryOf(access: Access) {
  return 'scope' in access ? WithProject({}) : Closed({});
}

function refuseOpenSchemas(name: string, route: RouteOptions): void {
  for (const part of ['body', 'querystring'] as const) {
    const open = openObjects(route.schema?.[part]);
    if (open.length > 0) {
      throw new Error(`${name} would let unknown fields pass in its ${part}: ${open.join(', ')}. Use Closed().`);
    }
  }
}

/** A route without a body schema takes no fields at all. */
const refuseBody: preValidationHookHandler = (request, _reply, done) => {
  const { body } = request;
  const empty = body === undefined || body === null || (typeof body === 'object' && Object.keys(body).length === 0);
  done(empty ? undefined : new TollgateError('invalid_request', 'This endpoint takes no body. Send none.'));
};

/** JSON only, as UTF-8; a route that checks a signature gets the bytes. */
function readBodies(app: App): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, bytes: Buffer, done) => {
    if (request.routeOptions.config.rawBody === true) {
      done(null, bytes);
      return;
    }
    if (!isUtf8(bytes)) {
      done(new TollgateError('invalid_request', 'The body is not valid UTF-8. Encode it as UTF-8.'));
      return;
    }
    try {
      done(null, parseJson(bytes.toString('utf8')));
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
    }
  });
}

/** Per key, on every route with a known caller that does not opt out with `config.rateLimit: false`. */
async function limitRates(app: App, options: AppOptions): Promise<void> {
  const { max, windowMs } = options.rateLimit ?? { max: 100, windowMs: 1_000 };
  await app.register(rateLimit, {
    global: true,
    // After the guard, so that the key is known; before the body is read.
    hook: 'preParsing',
    max,
    timeWindow: windowMs,
    cache: 10_000,
    keyGenerator: (request) => request.principal?.keyId ?? request.ip,
    allowList: (request) => request.principal === null,
    addHeaders: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false },
    addHeadersOnExceeding: {
      'x-ratelimit-limit': false,
      'x-ratelimit-remaining': false,
      'x-ratelimit-reset': false,
    },
    errorResponseBuilder: (_request, { ttl }) =>
      new TollgateError(
        'rate_limited',
        `The key makes too many requests. Wait ${Math.max(1, Math.ceil(ttl / 1000))} s, and spread them out.`,
        [],
        { retry_after: Math.max(1, Math.ceil(ttl / 1000)) },
      ),
  });
}

/**
 * Connections that had a request under way when the service was told to stop are kept alive by it; nobody closes them
 * once they are idle, and a stop would wait for their owners to hang up.
 */
function letGoOfConnections(app: App): void {
  app.addHook('preClose', (done) => {
    const sweep = setInterval(() => app.server.closeIdleConnections(), SWEEP_MS);
    app.server.once('close', () => clearInterval(sweep));
    // A service that never listened is never closed either.
    sweep.unref();
    done();
  });
}

/** 404, or 405 where the path exists with another method. */
function answerUnmatched(app: App, endpoints: readonly Endpoint[]): void {
  let patterns: { method: string; pattern: RegExp }[] = [];
  app.addHook('onReady', (done) => {
    patterns = endpoints.map(({ method, url }) => ({ method, pattern: patternOf(url) }));
    done();
  });
  app.setNotFoundHandler((request, reply) => {
    reply.raw.once('finish', () => app.observe(request, reply.statusCode));
    const path = request.url.split('?', 1)[0] ?? '';
    const allowed = [...new Set(patterns.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method))];
    if (allowed.length === 0 || allowed.includes(request.method)) {
      return sendProblem(
        new TollgateError('not_found', 'There is no such endpoint. See /docs for those that there are.'),
        request,
        reply,
      );
    }
    reply.header('allow', allowed.join(', '));
    const detail = `This path takes ${allowed.join(', ')}. See /docs.`;
    return sendProblem(new TollgateError('method_not_allowed', detail), request, reply);
  });
}

function patternOf(url: string): RegExp {
  const parts = url.split(/(:[A-Za-z_]+|\*)/).map((part) => {
    if (part === '*') return '.*';
    return part.startsWith(':') ? '[^/]+' : part.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${parts.join('')}$`);
}

/**
 * What is no HTTP at all, or has too many headers, is answered on the socket. Where an answer is under way, or the bytes
 * may be the rest of a request that has its answer, there is none: a proxy would take it for that of the next request.
 */
function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket & { _httpMessage?: object | null }): void {
  const isHead = socket.bytesWritten === 0 || error.code === 'HPE_HEADER_OVERFLOW';
  const isAnswered = !isHead || (socket._httpMessage ?? null) !== null;
  if (error.code === 'ECONNRESET' || !socket.writable || isAnswered) {
    socket.destroy();
    return;
  }
  const refusal =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? new TollgateError('headers_too_large', `The headers are larger than ${MAX_HEADER_BYTES} bytes. Send fewer.`)
      : new TollgateError('invalid_request', 'The request is not valid HTTP/1.1.');
  const problem = problemOf(refusal, 'req_unread');
  const body = JSON.stringify(problem);
  socket.end(
    `HTTP/1.1 ${problem.status} ${problem.title}\r\ncontent-type: ${PROBLEM_TYPE}\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}

/** Ids that are unique across processes, and cost a counter: one is made for every check. */
function requestIds(): () => string {
  const process = randomBytes(8).toString('hex');
  let count = 0;
  return () => {
    count += 1;
    return `req_${process}${count.toString(36).padStart(6, '0')}`;
  };
}
