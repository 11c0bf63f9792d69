import Stripe from 'stripe';
import { notFound } from '../platform/errors.ts';
import { understandable } from './http-client.ts';

/** The version of Stripe's API that this code reads and writes, whatever the account's own default is. */
export const STRIPE_API_VERSION = '2026-10-28.endive';

/** One Stripe account in one mode, and what is needed to speak with it. */
export interface StripeConnection {
  /** As projects name it: `default`. */
  id: string;
  client: Stripe;
  /** Signing secrets that webhooks may carry, newest first. Without any, no webhook is believed. */
  webhookSecrets: readonly string[];
  /** Whether it moves real money: objects and events of the other mode are not this connection's. */
  livemode: boolean;
  /** The name that is stamped on what this installation makes in Stripe. */
  installation: string;
  /** The account (`acct_…`) that its key was seen to be of; null as long as Stripe has not told. */
  verifiedAccount?: string | null;
  /** The sandbox that starts with this service: whatever account it is, its events come by themselves. */
  isSandbox?: boolean;
  /** Enough to recognise the key by; null when nobody needs to. */
  keyHint?: string | null;
}

export interface Connections {
  /** @throws TollgateError `not_found` */
  get(id: string): StripeConnection;
  ids(): readonly string[];
}

export interface StripeSettings {
  secretKey: string;
  /** Another Stripe-compatible host, such as `http://127.0.0.1:3001`; null: Stripe. */
  apiBase: string | null;
  timeoutMs?: number;
  /** In place of connections of its own: how requests travel, and how often one is sent again. */
  transport?: { httpClient: Stripe.HttpClient; retries: number };
}

const TIMEOUT_MS = 15_000;

/**
 * Stripe's SDK with the version pinned. It tries once more by itself where Stripe allows it; anything beyond that is
 * for whoever asks: a job has its own delays, a caller his own patience.
 */
export function createStripeClient({ secretKey, apiBase, timeoutMs = TIMEOUT_MS, transport }: StripeSettings): Stripe {
  const host = apiBase === null ? null : new URL(apiBase);
  return new Stripe(secretKey, {
    apiVersion: STRIPE_API_VERSION,
    maxNetworkRetries: transport?.retries ?? 1,
    httpClient: understandable(transport?.httpClient ?? Stripe.createNodeHttpClient()),
    timeout: timeoutMs,
    telemetry: false,
    appInfo: { name: 'Tollgate' },
    ...(host === null
      ? {}
      : {
          // An IPv6 address stands in brackets in a URL only.
          host: host.hostname.replace(/^\[|\]$/g, ''),
          port: host.port === '' ? (host.protocol === 'https:' ? 443 : 80) : Number(host.port),
          protocol: host.protocol === 'https:' ? ('https' as const) : ('http' as const),
        }),
  });
}

/** @throws Error for a connection without a signing secret: none of its webhooks could be believed */
export function createConnections(list: readonly StripeConnection[]): Connections {
  const byId = new Map(list.map((connection) => [connection.id, connection]));
  for (const { id, webhookSecrets } of list) {
    if (webhookSecrets.length === 0 || webhookSecrets.some((secret) => secret.trim() === '')) {
      throw new Error(`The Stripe connection ${id} has no webhook signing secret, or an empty one.`);
    }
  }
  return {
    get: (id) => {
      const connection = byId.get(id);
      if (connection === undefined) throw notFound('Stripe connection');
      return connection;
    },
    ids: () => [...byId.keys()],
  };
}
