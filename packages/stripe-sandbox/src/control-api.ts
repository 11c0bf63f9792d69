import type { Control } from './control.ts';
import { invalidRequest, unauthorized, unknownUrl } from './errors.ts';
import type { Answer, AskedRequest } from './exchange.ts';
import { bare, KIND_OF_PREFIX } from './expand.ts';
import type { RequestFailure } from './faults.ts';
import type { Kind } from './model.ts';

const KINDS: ReadonlySet<string> = new Set<Kind>(['coupon', ...Object.values(KIND_OF_PREFIX)]);

function isKind(name: string | undefined): name is Kind {
  return name !== undefined && KINDS.has(name);
}

type Given = Record<string, unknown>;

function textOf(given: Given, name: string): string {
  const value = given[name];
  if (typeof value !== 'string' || value === '') throw invalidRequest(`${name} must be a text.`, { param: name });
  return value;
}

function optionalText(given: Given, name: string): string | undefined {
  return given[name] === undefined || given[name] === null ? undefined : textOf(given, name);
}

function numberOf(given: Given, name: string): number {
  const value = given[name];
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw invalidRequest(`${name} must be a number.`, { param: name });
  }
  return value;
}

function wordOf<const W extends string>(given: Given, name: string, words: readonly W[]): W {
  const word = words.find((candidate) => candidate === given[name]);
  if (word === undefined) throw invalidRequest(`${name} must be one of ${words.join(', ')}.`, { param: name });
  return word;
}

function advance(control: Control, given: Given): object {
  if (given.to !== undefined) return { now: control.advance({ to: numberOf(given, 'to') }) };
  if (given.days !== undefined) return { now: control.advance({ days: numberOf(given, 'days') }) };
  return { now: control.advance({ seconds: numberOf(given, 'seconds') }) };
}

const RATES = ['drop', 'duplicate', 'shuffle', 'errorRate', 'lostResponseRate'] as const;
const NUMBERS = ['delayMs', 'latencyMs', 'seed'] as const;

function setFaults(control: Control, given: Given): object {
  const faults: Record<string, number | null> = {};
  for (const [name, value] of Object.entries(given)) {
    if (name === 'rateLimit' && value === null) {
      faults[name] = null;
      continue;
    }
    const number = numberOf(given, name);
    const rate = RATES.some((known) => known === name);
    const known = rate || name === 'rateLimit' || NUMBERS.some((candidate) => candidate === name);
    if (!known) throw invalidRequest(`There is no fault called ${name}.`, { code: 'parameter_unknown', param: name });
    if (number < 0 || (rate && number > 1)) {
      throw invalidRequest(`${name} must be ${rate ? 'between 0 and 1' : '0 or more'}.`, { param: name });
    }
    faults[name] = number;
  }
  return control.setFaults(faults);
}

function failRequests(control: Control, given: Given): object {
  const outcome = given.outcome === 'hang' || given.outcome === 'lost' ? given.outcome : numberOf(given, 'outcome');
  const failure: RequestFailure = { outcome, times: given.times === undefined ? 1 : numberOf(given, 'times') };
  const method = optionalText(given, 'method');
  const path = optionalText(given, 'path');
  if (method !== undefined) failure.method = method;
  if (path !== undefined) failure.path = path;
  if (given.retryAfter !== undefined) failure.retryAfter = numberOf(given, 'retryAfter');
  if (typeof given.shouldRetry === 'boolean') failure.shouldRetry = given.shouldRetry;
  control.failRequests(failure);
  return { planned: control.state().plannedRequestFailures };
}

type Operation = (control: Control, given: Given) => object | Promise<object>;

/** What can be asked for, by method and path. */
const OPERATIONS: Record<string, Operation> = {
  'GET /_sandbox/state': (control) => control.state(),
  'GET /_sandbox/deliveries': (control) => ({ data: control.deliveries() }),
  'POST /_sandbox/advance': advance,
  'POST /_sandbox/faults': setFaults,
  'POST /_sandbox/faults/clear': (control) => {
    control.clearFaults();
    return control.state().faults;
  },
  'POST /_sandbox/fail_requests': failRequests,
  'POST /_sandbox/roll_secret': (control, given) => {
    const secret = optionalText(given, 'secret');
    const seconds = given.seconds === undefined ? undefined : numberOf(given, 'seconds');
    const rolled = control.rollSecret(textOf(given, 'endpoint'), {
      ...(secret === undefined ? {} : { secret }),
      ...(seconds === undefined ? {} : { seconds }),
    });
    return { secret: rolled };
  },
  'POST /_sandbox/fail_next_payment': (control, given) => {
    const customer = optionalText(given, 'customer');
    const declineCode = optionalText(given, 'decline_code');
    control.failNextPayment({
      ...(customer === undefined ? {} : { customer }),
      ...(declineCode === undefined ? {} : { declineCode }),
    });
    return { ok: true };
  },
  'POST /_sandbox/pay_checkout': (control, given) => {
    const payment: Record<string, string | boolean> = { authenticated: given.authenticated === true };
    const cardNumber = optionalText(given, 'card_number');
    const email = optionalText(given, 'email');
    const name = optionalText(given, 'name');
    if (cardNumber !== undefined) payment.cardNumber = cardNumber;
    if (email !== undefined) payment.email = email;
    if (name !== undefined) payment.name = name;
    const promotionCode = optionalText(given, 'promotion_code');
    if (promotionCode !== undefined) payment.promotionCode = promotionCode;
    return control.payCheckout(textOf(given, 'session'), payment);
  },
  'POST /_sandbox/settle_payment': (control, given) => {
    const ending = given.ending === undefined ? 'succeeds' : wordOf(given, 'ending', ['fails', 'succeeds']);
    control.settlePayment(textOf(given, 'payment_intent'), ending);
    return { ok: true };
  },
  'POST /_sandbox/refund': (control, given) =>
    control.refund(textOf(given, 'payment'), given.amount === undefined ? undefined : numberOf(given, 'amount')),
  'POST /_sandbox/fail_refund': (control, given) => control.failRefund(textOf(given, 'refund')),
  'POST /_sandbox/succeed_refund': (control, given) => control.succeedRefund(textOf(given, 'refund')),
  'POST /_sandbox/dispute': (control, given) =>
    control.dispute(
      textOf(given, 'payment'),
      given.cause === undefined
        ? 'fraudulent'
        : wordOf(given, 'cause', ['fraudulent', 'inquiry', 'product_not_received']),
    ),
  'POST /_sandbox/close_dispute': (control, given) =>
    control.closeDispute(textOf(given, 'dispute'), wordOf(given, 'verdict', ['lost', 'won'])),
  'POST /_sandbox/resend_event': (control, given) =>
    control.resendEvent(textOf(given, 'event'), optionalText(given, 'endpoint')),
  'POST /_sandbox/settled': async (control) => {
    await control.settled();
    return { ok: true };
  },
  'POST /_sandbox/reset': (control) => {
    control.reset();
    return { ok: true };
  },
};

/**
 * Programs send JSON or nothing. A page of another site cannot send JSON without asking first, and whatever carries an
 * `Origin` is refused anyway: no web page may steer the sandbox behind somebody's back. Nor may a webhook that somebody
 * had sent here.
 */
function readJson(request: AskedRequest): Given {
  if (request.headers.origin !== undefined) throw unauthorized('The control API is not for web pages.');
  if (request.headers['webhook-id'] !== undefined) throw unauthorized('The control API is not for webhooks.');
  if (request.body === '') return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(request.body);
  } catch {
    throw invalidRequest('The body must be JSON.');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw invalidRequest('The body must be a JSON object.');
  }
  return parsed as Given;
}

/**
 * Answers one request to `/_sandbox/…`.
 *
 * @throws StripeError when it cannot be carried out
 */
export async function answerControl(control: Control, request: AskedRequest): Promise<Answer> {
  const [path = ''] = request.path.split('?');
  const given = readJson(request);
  const kind = /^\/_sandbox\/objects\/([a-z_.]+)$/.exec(path)?.[1];
  const operation = OPERATIONS[`${request.method} ${path}`];
  let result: object;
  if (operation !== undefined) result = await operation(control, given);
  else if (isKind(kind) && request.method === 'GET') result = { data: control.objects(kind) };
  else throw unknownUrl(request.method, path);
  const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' };
  return { status: 200, headers, body: JSON.stringify(bare(result), null, 2) };
}
