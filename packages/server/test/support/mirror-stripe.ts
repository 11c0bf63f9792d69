/**
 * Stripe's reading side over real HTTP, for tests of the mirror: it answers with the objects that a test put in, as
 * they are at the moment when the request arrives, and can hold an answer back for as long as the test likes.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

// biome-ignore lint/suspicious/noExplicitAny: recorded JSON; the mirror's own schemas check what they read.
export type Json = any;

export interface ScriptedStripe {
  url: string;
  /** Adds objects, or replaces those with the same ids. */
  put(...objects: Json[]): void;
  /** From now on Stripe has no such object. */
  remove(id: string): void;
  /** Holds back the next answer whose path begins so; its content is that of the moment of the request. */
  holdNext(path: string): Held;
  /** Answers the next request to a path so, whatever is stored. */
  answerNext(path: string, answer: { status: number; body: Json; headers?: Record<string, string> }): void;
  /** Method, path and query of everything that was asked, in order. */
  requests: string[];
  close(): Promise<void>;
}

export interface Held {
  /** Resolves when the request is there. */
  arrived: Promise<void>;
  release(): void;
}

/** Path → type of the objects there. */
const COLLECTIONS: Readonly<Record<string, string>> = {
  subscriptions: 'subscription',
  subscription_items: 'subscription_item',
  customers: 'customer',
  products: 'product',
  prices: 'price',
  invoices: 'invoice',
  invoice_payments: 'invoice_payment',
  charges: 'charge',
  payment_intents: 'payment_intent',
  refunds: 'refund',
  disputes: 'dispute',
  'checkout/sessions': 'checkout.session',
};
const PAGE_PARAMETERS = new Set(['limit', 'starting_after']);
const NESTED_LIMIT = 10;

export async function startScriptedStripe(): Promise<ScriptedStripe> {
  const objects = new Map<string, Json>();
  const requests: string[] = [];
  const holds: { path: string; arrived: () => void; released: Promise<void> }[] = [];
  const answers: { path: string; status: number; body: Json; headers?: Record<string, string> }[] = [];

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://stripe.test');
    const path = url.pathname.replace('/v1/', '');
    requests.push(`${request.method} ${path}${url.search}`);
    const scripted = takeFirst(answers, (answer) => path.startsWith(answer.path));
    const { status, body } = scripted ?? answerTo(objects, path, url.searchParams);
    const text = JSON.stringify(body);
    const hold = takeFirst(holds, (held) => path.startsWith(held.path));
    hold?.arrived();
    await hold?.released;
    const headers = { 'content-type': 'application/json', 'request-id': 'req_test', ...scripted?.headers };
    response.writeHead(status, headers).end(text);
  }

  const server = createServer((request, response) => void respond(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    put: (...given) => {
      for (const object of given) objects.set(object.id, object);
    },
    remove: (id) => void objects.delete(id),
    holdNext: (path) => {
      const arrival = Promise.withResolvers<void>();
      const release = Promise.withResolvers<void>();
      holds.push({ path, arrived: arrival.resolve, released: release.promise });
      return { arrived: arrival.promise, release: release.resolve };
    },
    answerNext: (path, answer) => void answers.push({ path, ...answer }),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function takeFirst<T>(list: T[], matches: (item: T) => boolean): T | undefined {
  const index = list.findIndex(matches);
  return index < 0 ? undefined : list.splice(index, 1)[0];
}

function answerTo(objects: Map<string, Json>, path: string, query: URLSearchParams): { status: number; body: Json } {
  const expansions = [...query].filter(([name]) => name.startsWith('expand[')).map(([, value]) => value);
  const lineItems = path.match(/^checkout\/sessions\/(\w+)\/line_items$/);
  if (lineItems !== null) {
    return {
      status: 200,
      body: page(objects, objects.get(lineItems[1] ?? '')?.line_items_all ?? [], query, expansions),
    };
  }
  if (Object.hasOwn(COLLECTIONS, path)) {
    const filters = [...query].filter(([name]) => !PAGE_PARAMETERS.has(name) && !name.startsWith('expand['));
    const found = [...objects.values()].filter(
      (object) => object.object === COLLECTIONS[path] && filters.every(([name, value]) => matches(object, name, value)),
    );
    return { status: 200, body: page(objects, found, query, expansions) };
  }
  const id = path.slice(path.lastIndexOf('/') + 1);
  const found = objects.get(id);
  if (found === undefined) return missing(id);
  return { status: 200, body: shown(objects, found, expansions) };
}

/** Stripe's own answer about an object that it does not have. */
function missing(id: string): { status: number; body: Json } {
  const message = `No such object: '${id}'`;
  const doc_url = 'https://stripe.com/docs/error-codes/resource-missing';
  return {
    status: 404,
    body: { error: { code: 'resource_missing', doc_url, message, param: 'id', type: 'invalid_request_error' } },
  };
}

/** `payment[payment_intent]` reads into `payment`; `payment[type]` too. */
function matches(object: Json, name: string, value: string): boolean {
  const found = name
    .split(/[[\]]+/)
    .filter(Boolean)
    .reduce((at, key) => at?.[key], object);
  return (found?.id ?? found) === value;
}

/** Newest first, as every list of Stripe's. */
function page(objects: Map<string, Json>, found: Json[], query: URLSearchParams, expansions: string[]): Json {
  const sorted = [...found].sort((a, b) => (b.created ?? 0) - (a.created ?? 0));
  const limit = Number(query.get('limit') ?? 10);
  const start = sorted.findIndex((object) => object.id === query.get('starting_after')) + 1;
  const inner = expansions.map((path) => path.replace(/^data\./, ''));
  const data = sorted.slice(start, start + limit).map((object) => shown(objects, object, inner));
  return { object: 'list', data, has_more: sorted.length > start + limit, url: '/v1/list' };
}

/** A copy, with references expanded where asked and nested lists cut short. */
function shown(objects: Map<string, Json>, object: Json, expansions: string[]): Json {
  const copy = structuredClone(object);
  delete copy.line_items_all;
  for (const path of expansions) expand(objects, copy, path.split('.'));
  if (copy.items?.data !== undefined) {
    copy.items.has_more = copy.items.data.length > NESTED_LIMIT;
    copy.items.data = copy.items.data.slice(0, NESTED_LIMIT);
  }
  return copy;
}

function expand(objects: Map<string, Json>, parent: Json, [key, ...rest]: string[]): void {
  if (key === undefined || parent === null || typeof parent !== 'object') return;
  const resolve = (value: Json) => (typeof value === 'string' ? structuredClone(objects.get(value) ?? value) : value);
  const value = parent[key];
  parent[key] = Array.isArray(value) ? value.map(resolve) : resolve(value);
  for (const next of Array.isArray(parent[key]) ? parent[key] : [parent[key]]) expand(objects, next, rest);
}
