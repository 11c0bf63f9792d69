import { StripeError, unauthorized, unknownUrl } from './errors.ts';
import { type Answer, type AskedRequest, errorAnswer } from './exchange.ts';
import { render } from './expand.ts';
import { type FormGroup, parseForm } from './form.ts';
import { lookupIn } from './hidden.ts';
import { fingerprint } from './idempotency.ts';
import { API_VERSION } from './model.ts';
import { list, readParams, text } from './params.ts';
import { apiRoutes } from './resources/index.ts';
import { Routes } from './routes.ts';
import { catchUp } from './time.ts';
import type { World } from './world.ts';

/** An answer of the API. */
export interface ApiAnswer extends Answer {
  /** The request was carried out, and its answer is to be lost on the way. */
  lost: boolean;
}

const routes = new Routes(apiRoutes);

function header(request: AskedRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/**
 * Any test key is taken; a live key is refused, so that nobody thinks that money moved. Browsers say `Origin` with
 * whatever a page has them send: no page of another site may act here with a key that it made up.
 */
function authorize(request: AskedRequest): void {
  if (header(request, 'origin') !== undefined) throw unauthorized('The API is not for web pages.');
  const given = header(request, 'authorization') ?? '';
  const basic = /^Basic (.+)$/i.exec(given)?.[1];
  const key =
    basic === undefined ? /^Bearer (.+)$/i.exec(given)?.[1] : Buffer.from(basic, 'base64').toString().split(':')[0];
  if (key === undefined || key === '') {
    throw unauthorized(
      'You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. "Authorization: Bearer sk_test_…"). Any test key will do here.',
    );
  }
  if (/^pk_test_.+/.test(key)) {
    throw new StripeError(
      403,
      'invalid_request_error',
      'This API call cannot be made with a publishable API key. Please use a secret API key.',
      { code: 'secret_key_required' },
    );
  }
  if (!/^(sk|rk)_test_.+/.test(key)) {
    throw unauthorized(
      `Invalid API Key provided: ${key.slice(0, 8)}… The sandbox takes any key that starts with sk_test_.`,
    );
  }
}

/** The parameters: those of the query, and for a POST those of the body. */
function formOf(request: AskedRequest, query: string): FormGroup {
  if (request.method === 'GET') return parseForm(query);
  if (/json/.test(header(request, 'content-type') ?? '')) {
    throw new StripeError(400, 'invalid_request_error', 'Send parameters as application/x-www-form-urlencoded.');
  }
  return parseForm(request.body === '' ? query : request.body);
}

/** People read what they get, indented as Stripe does it; the official clients only parse it, which takes half as long without. */
function indentFor(request: AskedRequest): number | undefined {
  return header(request, 'x-stripe-client-user-agent') === undefined ? 2 : undefined;
}

/** Whose time a request is carried out in: that of the customer it names, or of what its path names. */
function customerNamed(world: World, params: Record<string, unknown>, [id]: string[]): string | null {
  if (typeof params.customer === 'string') return params.customer;
  return id === undefined ? null : world.customerOf(id);
}

/** Versions of Stripe's API are dates, newer ones with a name. Whichever is asked for, objects have the shapes of one. */
const VERSION = /^\d{4}-\d{2}-\d{2}(\.[a-z]+)?$/;
const MAX_KEY_LENGTH = 255;

/** @throws StripeError when a header that steers the request cannot be understood */
function checkHeaders(request: AskedRequest): void {
  const version = header(request, 'stripe-version');
  if (version !== undefined && (!VERSION.test(version) || version.slice(0, 10) > API_VERSION.slice(0, 10))) {
    throw new StripeError(
      400,
      'invalid_request_error',
      `Invalid Stripe API version: ${version}. The sandbox answers every version up to ${API_VERSION}, in the shapes of that one.`,
    );
  }
  const key = header(request, 'idempotency-key');
  if (key !== undefined && key.length > MAX_KEY_LENGTH) {
    throw new StripeError(
      400,
      'invalid_request_error',
      `Idempotency keys can have up to ${MAX_KEY_LENGTH} characters, but this one has ${key.length}.`,
    );
  }
}

function carryOut(world: World, request: AskedRequest, requestId: string): Answer {
  authorize(request);
  checkHeaders(request);
  const [path = '', query = ''] = request.path.split(/\?(.*)/s);
  const found = routes.match(request.method, path.slice('/v1'.length));
  if (found === undefined) throw unknownUrl(request.method, path);
  const key = request.method === 'POST' ? header(request, 'idempotency-key') : undefined;
  const print = key === undefined ? '' : fingerprint(request.method, path, request.body);
  const kept = key === undefined ? undefined : world.idempotency.find(key, print);
  if (key !== undefined && kept !== undefined) {
    const headers = { 'Idempotency-Key': key, 'Idempotent-Replayed': 'true', 'Original-Request': kept.requestId };
    return { status: kept.status, headers, body: kept.body };
  }
  const { expand, ...form } = formOf(request, query);
  const expandPaths = expand === undefined ? [] : list(text)(expand, 'expand');
  const params = readParams(found.route.shape, form);
  // From here on the request counts as carried out: what comes of it is kept under its key, errors included.
  world.request = { id: requestId, idempotencyKey: key ?? null };
  let answer: Answer;
  try {
    const run = () => {
      const result = world.inTimeOf(customerNamed(world, params, found.ids), () =>
        found.route.run(world, params, found.ids),
      );
      return JSON.stringify(render(result, expandPaths, lookupIn(world)), null, indentFor(request));
    };
    answer = { status: 200, headers: {}, body: request.method === 'GET' ? world.store.reading(run) : run() };
  } catch (error) {
    answer = errorAnswer(error);
  } finally {
    world.request = null;
  }
  if (request.method !== 'GET') world.changed();
  if (key === undefined) return answer;
  const { status, body, headers } = answer;
  world.idempotency.keep(key, { fingerprint: print, requestId, status, body });
  return { status, body, headers: { ...headers, 'Idempotency-Key': key, 'Original-Request': requestId } };
}

/** Answers one request to `/v1/…`. Never throws: whatever goes wrong is answered in Stripe's envelope. */
export function answerApi(world: World, request: AskedRequest): ApiAnswer {
  const requestId = world.ids.make('req_');
  const version = header(request, 'stripe-version') ?? API_VERSION;
  let lost = false;
  let answer: Answer;
  try {
    catchUp(world);
    lost = world.faults.request(request.method, request.path).lost && request.method !== 'GET';
    answer = carryOut(world, request, requestId);
  } catch (error) {
    answer = errorAnswer(error);
  }
  const headers = {
    'Content-Type': 'application/json',
    'Cache-Control': 'no-cache, no-store',
    'Request-Id': requestId,
    'Stripe-Version': version,
    ...answer.headers,
  };
  return { ...answer, headers, lost };
}
