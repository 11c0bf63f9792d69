import type { AddressInfo } from 'node:net';
import { watchSubscriptions } from './billing/entitle.ts';
import { Control } from './control.ts';
import type { WebhookEndpoint } from './model.ts';
import { API_VERSION } from './model.ts';
import { keepIn, type StateFile } from './persistence.ts';
import { createSandboxServer } from './server.ts';
import { catchUp } from './time.ts';
import type { DeliverySettings } from './webhooks.ts';
import { type AccountSettings, World } from './world.ts';

export type { CheckoutPayment, CheckoutResult } from './checkout/pay-session.ts';
export type { Control, SandboxState } from './control.ts';
export type { Faults, RequestFailure } from './faults.ts';
export { API_VERSION } from './model.ts';
export type { DeliveryAttempt, DeliverySettings } from './webhooks.ts';
export type { AccountSettings } from './world.ts';

/** Where events go without an endpoint that was made over the API. */
export interface FixedWebhook {
  url: string;
  /** The signing secret, `whsec_…`. */
  secret: string;
  /** Types, with `*` for all. Default all. */
  events?: string[];
}

/** How a sandbox is started. */
export interface SandboxOptions {
  /** Default 0: any free port. */
  port?: number;
  /** Default `127.0.0.1`. Anyone who reaches it can do anything in it: keep it on this machine. */
  host?: string;
  /** Where events go, signed with the secret, besides the endpoints that are made over the API. */
  webhooks?: readonly FixedWebhook[];
  /** Makes ids and faults the same in every run. */
  seed?: number;
  /** A JSON file that the state is kept in. Left out: it is forgotten at the end. */
  file?: string;
  /** What one chooses in Stripe's dashboard: retries of failed renewals, and what follows them. */
  account?: Partial<AccountSettings>;
  /** How hard webhooks are tried. */
  delivery?: Partial<DeliverySettings>;
  /** Where browsers reach the hosted pages, when that is not `http://host:port`. */
  publicUrl?: string;
}

/** A running sandbox. */
export interface Sandbox {
  /** Its address without a slash at the end; for the SDK's `host`, `port` and `protocol: 'http'`. */
  url: string;
  port: number;
  control: Control;
  /** Sends events to these from now on, in place of those that were given at the start. */
  deliverTo(webhooks: readonly FixedWebhook[]): void;
  /** How far its time is ahead of the wall clock, in milliseconds. */
  aheadMs(): number;
  /** Stops it; the state is written first when it has a file. */
  close(): Promise<void>;
}

function fixedEndpoint(world: World, webhook: FixedWebhook, index: number): WebhookEndpoint {
  return {
    id: `we_fixed_${index + 1}`,
    object: 'webhook_endpoint',
    api_version: API_VERSION,
    application: null,
    created: world.clock.now(),
    description: 'Given at the start',
    enabled_events: webhook.events ?? ['*'],
    livemode: false,
    metadata: {},
    status: 'enabled',
    url: webhook.url,
    $: { secret: webhook.secret },
  };
}

/** How often the sandbox looks by itself whether something has fallen due, in milliseconds. */
const LOOK_MS = 1000;

/**
 * Starts an offline Stripe.
 *
 * @throws when the port is taken, or the file cannot be read as the state of a sandbox
 */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const world = new World(options);
  watchSubscriptions(world);
  const deliverTo = (webhooks: readonly FixedWebhook[]) => {
    world.fixedEndpoints = webhooks.map((webhook, index) => fixedEndpoint(world, webhook, index));
  };
  deliverTo(options.webhooks ?? []);
  const file: StateFile | null = options.file === undefined ? null : await keepIn(world, options.file);
  const control = new Control(world);
  const server = createSandboxServer(world, control);
  const host = options.host ?? '127.0.0.1';
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const shownHost = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  const url = `http://${shownHost.includes(':') ? `[${shownHost}]` : shownHost}:${port}`;
  world.baseUrl = (options.publicUrl ?? url).replace(/\/$/, '');
  catchUp(world);
  const look = setInterval(() => catchUp(world), LOOK_MS);
  look.unref();
  return {
    url,
    port,
    control,
    deliverTo,
    aheadMs: () => world.clock.offset * 1000,
    async close() {
      clearInterval(look);
      world.webhooks.close();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
      await file?.close();
    },
  };
}
