import type { AddressInfo } from 'node:net';
import { watchSubscriptions } from './billing/entitle.ts';
import type { ClockOptions } from './clock.ts';
import { Control } from './control.ts';
import type { Deliver } from './delivery.ts';
import type { Answer } from './exchange.ts';
import { fetchFrom, handle, type InProcessRequest } from './in-process.ts';
import type { WebhookEndpoint } from './model.ts';
import { API_VERSION } from './model.ts';
import { keepIn, type StateFile } from './persistence.ts';
import { createSandboxServer } from './server.ts';
import { catchUp } from './time.ts';
import type { DeliverySettings } from './webhooks.ts';
import { type AccountSettings, World } from './world.ts';

export type { CheckoutPayment, CheckoutResult } from './checkout/pay-session.ts';
export type { ClockOptions } from './clock.ts';
export type { Control, SandboxState } from './control.ts';
export type { Deliver, DeliveryRequest } from './delivery.ts';
export type { Answer } from './exchange.ts';
export type { Faults, RequestFailure } from './faults.ts';
export { type InProcessRequest, Unanswered } from './in-process.ts';
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

/** What a sandbox begins with. */
export interface OpenOptions {
  /** Where events go, signed with the secret, besides the endpoints that are made over the API. */
  webhooks?: readonly FixedWebhook[];
  /** Takes every webhook, signed as a real one, in place of HTTP. The addresses of endpoints can then be any text. */
  deliver?: Deliver;
  /** Makes ids and faults the same in every run. */
  seed?: number;
  /** Where its time begins, and whether it passes by itself. */
  clock?: ClockOptions;
  /** A file that the state is kept in, for one sandbox at a time. Left out: it is forgotten at the end. */
  file?: string;
  /** What one chooses in Stripe's dashboard: retries of failed renewals, and what follows them. */
  account?: Partial<AccountSettings>;
  /** How hard webhooks are tried. */
  delivery?: Partial<DeliverySettings>;
  /** Where browsers reach the hosted pages. Default `http://host:port`; without a socket, `http://stripe.localhost`. */
  publicUrl?: string;
}

/** How a sandbox that listens is started. */
export interface SandboxOptions extends OpenOptions {
  /** Default 0: any free port. */
  port?: number;
  /** Default `127.0.0.1`. Anyone who reaches it can do anything in it: keep it on this machine. */
  host?: string;
}

/** A sandbox inside this process, without a socket. */
export interface OpenSandbox {
  control: Control;
  /**
   * Answers a request as over HTTP: API, control API and pages.
   * @throws Unanswered when it was told to hang, or to lose the answer
   */
  handle(request: InProcessRequest): Promise<Answer>;
  /** The same as a `fetch`, for `Stripe.createFetchHttpClient`; the host that an address names does not matter. */
  fetch: typeof fetch;
  /** Sends events to these from now on, in place of those that were given at the start. */
  deliverTo(webhooks: readonly FixedWebhook[]): void;
  /** How far its time is ahead of the machine's, in milliseconds. */
  aheadMs(): number;
  /** Stops it; the state is written first when it has a file. */
  close(): Promise<void>;
}

/** A sandbox that listens. */
export interface Sandbox extends OpenSandbox {
  /** Its address without a slash at the end; for the SDK's `host`, `port` and `protocol: 'http'`. */
  url: string;
  port: number;
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

async function open(options: OpenOptions) {
  const world = new World(options);
  watchSubscriptions(world);
  const deliverTo = (webhooks: readonly FixedWebhook[]) => {
    world.fixedEndpoints = webhooks.map((webhook, index) => fixedEndpoint(world, webhook, index));
  };
  deliverTo(options.webhooks ?? []);
  world.baseUrl = (options.publicUrl ?? 'http://stripe.localhost').replace(/\/$/, '');
  const file: StateFile | null = options.file === undefined ? null : await keepIn(world, options.file);
  const control = new Control(world);
  // With a frozen clock nothing falls due by itself.
  const look = world.clock.frozen ? undefined : setInterval(() => catchUp(world), LOOK_MS).unref();
  const sandbox: OpenSandbox = {
    control,
    handle: (request) => handle(world, control, request),
    fetch: fetchFrom(world, control),
    deliverTo,
    aheadMs: () => world.clock.aheadMs(),
    async close() {
      clearInterval(look);
      world.close();
      await file?.close();
    },
  };
  return { world, sandbox };
}

/**
 * Opens an offline Stripe inside this process: nothing listens, `handle` and `fetch` answer. With a `seed`, a frozen
 * `clock` and `deliver`, the same calls in the same order give the same answers, byte for byte.
 *
 * @throws when the file cannot be read as the state of a sandbox
 */
export async function openSandbox(options: OpenOptions = {}): Promise<OpenSandbox> {
  const { world, sandbox } = await open(options);
  catchUp(world);
  return sandbox;
}

/**
 * Starts an offline Stripe that listens.
 *
 * @throws when the port is taken, or the file cannot be read as the state of a sandbox
 */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const { world, sandbox } = await open(options);
  const server = createSandboxServer(world, sandbox.control);
  const host = options.host ?? '127.0.0.1';
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const shownHost = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  const url = `http://${shownHost.includes(':') ? `[${shownHost}]` : shownHost}:${port}`;
  if (options.publicUrl === undefined) world.baseUrl = url;
  catchUp(world);
  return {
    ...sandbox,
    url,
    port,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
      await sandbox.close();
    },
  };
}
