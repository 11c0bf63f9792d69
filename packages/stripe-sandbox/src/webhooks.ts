import { crypto } from './builtins.ts';
import type { Deliver } from './delivery.ts';
import type { FaultPlan } from './faults.ts';
import type { StripeEvent, WebhookEndpoint } from './model.ts';
import type { Waits } from './waits.ts';

/** One attempt to deliver one event to one endpoint, and how it went. */
export interface DeliveryAttempt {
  event: string;
  type: string;
  endpoint: string;
  url: string;
  attempt: number;
  /** The HTTP status that came back; null when no answer came, or the event was dropped on purpose. */
  status: number | null;
  error: string | null;
}

/** How hard the sandbox tries to deliver. */
export interface DeliverySettings {
  /** Milliseconds before the first retry; doubled for each further one. */
  retryBaseMs: number;
  /** The longest wait between retries, in milliseconds. */
  retryCapMs: number;
  /** How often an event is tried before it is given up. */
  maxAttempts: number;
  /** Milliseconds after which a silent endpoint counts as failed. */
  timeoutMs: number;
  /** Deliveries to one endpoint at the same time. */
  concurrency: number;
}

export const DELIVERY_DEFAULTS: DeliverySettings = {
  retryBaseMs: 500,
  retryCapMs: 30_000,
  maxAttempts: 20,
  timeoutMs: 10_000,
  concurrency: 8,
};

const KEPT_ATTEMPTS = 2_000;

/**
 * The header that Stripe sends with a webhook.
 *
 * @param secrets the endpoint's; while one is being replaced the old and the new one, so that either is enough
 * @param seconds Unix seconds of the receiver's time, which refuses what is old: whatever the sandbox's clock says
 */
export function signatureHeader(body: string, secrets: readonly string[], seconds: number): string {
  const macs = secrets.map((secret) => crypto.createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex'));
  return [`t=${seconds}`, ...macs.map((mac) => `v1=${mac}`)].join(',');
}

/** The secrets that hold for an endpoint at a time of the sandbox's clock. */
function secretsOf({ $: { secret, retired } }: WebhookEndpoint, now: number): string[] {
  return [secret, ...(retired !== undefined && retired.until > now ? [retired.secret] : [])];
}

interface Job {
  endpoint: WebhookEndpoint;
  event: { id: string; type: string; body: string };
  attempt: number;
  done: () => void;
}

/** What webhooks are sent with. */
interface WebhookParts {
  settings: DeliverySettings;
  faults: FaultPlan;
  endpoints: () => readonly WebhookEndpoint[];
  waits: Waits;
  deliver: Deliver;
  /** The sandbox's time, in Unix seconds. */
  now: () => number;
  /** Called with an event whose `pending_webhooks` changed. */
  noted: (event: StripeEvent) => void;
  /** The receivers' time, in Unix seconds. */
  signedAt: () => number;
}

/** Delivers events to the endpoints that want them, signed, with retries until a 2xx. */
export class Webhooks {
  /** The last attempts, oldest first. */
  readonly attempts: DeliveryAttempt[] = [];
  readonly #parts: WebhookParts;
  readonly #waiting = new Map<string, Job[]>();
  readonly #running = new Map<string, number>();
  /** How many deliveries of each event are not over yet. */
  readonly #unfinished = new Map<string, number>();
  #open = 0;
  #idle: (() => void)[] = [];
  #closed = false;
  #ordinal = 0;

  constructor(parts: WebhookParts) {
    this.#parts = parts;
  }

  /** The endpoints that an event of this type goes to. */
  wanting(type: string): WebhookEndpoint[] {
    return this.#parts
      .endpoints()
      .filter(
        ({ status, enabled_events }) =>
          status === 'enabled' && (enabled_events.includes('*') || enabled_events.includes(type)),
      );
  }

  /** Sends an event on its way, through the faults that are set. */
  send(event: StripeEvent): void {
    this.#ordinal += 1;
    const wanting = this.wanting(event.type);
    if (wanting.length === 0) return;
    const { waitsMs } = this.#parts.faults.delivery(this.#ordinal);
    if (waitsMs.length === 0) {
      for (const endpoint of wanting) this.#record(this.#job(event, endpoint), null, 'dropped on purpose');
    }
    for (const waitMs of waitsMs) {
      for (const endpoint of wanting) this.#start(this.#job(event, endpoint), waitMs);
    }
  }

  /** Sends an event once more, past all faults; to one endpoint or to all that want it. */
  resend(event: StripeEvent, endpointId?: string): void {
    for (const endpoint of this.wanting(event.type)) {
      if (endpointId === undefined || endpoint.id === endpointId) this.#start(this.#job(event, endpoint), 0);
    }
  }

  /** The ids of the events that are still on their way to somebody. */
  unfinished(): string[] {
    return [...this.#unfinished.keys()];
  }

  /** Resolves when nothing is waiting or under way, retries included; at once when closed. */
  settled(): Promise<void> {
    if (this.#open === 0 || this.#closed) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Stops every delivery and retry; what was on its way is still named by `unfinished`. */
  close(): void {
    this.#closed = true;
    this.#parts.waits.clear();
    this.#waiting.clear();
    this.#wake();
  }

  /** Gives up what is waiting and forgets the attempts so far. */
  forget(): void {
    this.#parts.waits.clear();
    this.#waiting.clear();
    this.attempts.length = 0;
    this.#ordinal = 0;
    this.#open = 0;
    this.#unfinished.clear();
    this.#wake();
  }

  #job(event: StripeEvent, endpoint: WebhookEndpoint): Job {
    const pending_webhooks = Math.max(1, event.pending_webhooks);
    const body = JSON.stringify({ ...event, pending_webhooks }, null, 2);
    let finished = false;
    const done = () => {
      if (finished) return;
      finished = true;
      event.pending_webhooks = Math.max(0, event.pending_webhooks - 1);
      this.#parts.noted(event);
      this.#open = Math.max(0, this.#open - 1);
      const left = (this.#unfinished.get(event.id) ?? 1) - 1;
      if (left > 0) this.#unfinished.set(event.id, left);
      else this.#unfinished.delete(event.id);
      if (this.#open === 0) this.#wake();
    };
    return { endpoint, event: { id: event.id, type: event.type, body }, attempt: 1, done };
  }

  #wake(): void {
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #start(job: Job, waitMs: number): void {
    this.#open += 1;
    this.#unfinished.set(job.event.id, (this.#unfinished.get(job.event.id) ?? 0) + 1);
    this.#later(waitMs, () => this.#enqueue(job));
  }

  #later(waitMs: number, run: () => void): void {
    if (!this.#closed) this.#parts.waits.after(waitMs, run);
  }

  #enqueue(job: Job): void {
    const { id } = job.endpoint;
    const queue = this.#waiting.get(id) ?? [];
    queue.push(job);
    this.#waiting.set(id, queue);
    this.#pump(id);
  }

  #pump(endpointId: string): void {
    const running = this.#running.get(endpointId) ?? 0;
    if (this.#closed || running >= this.#parts.settings.concurrency) return;
    const job = this.#waiting.get(endpointId)?.shift();
    if (job === undefined) return;
    this.#running.set(endpointId, running + 1);
    const ended = (status: number | null, error: string | null) => {
      this.#running.set(endpointId, (this.#running.get(endpointId) ?? 1) - 1);
      this.#finish(job, status, error);
      this.#pump(endpointId);
    };
    this.#post(job).then(
      ({ status }) => ended(status, null),
      (error: unknown) => ended(null, error instanceof Error ? error.message : String(error)),
    );
    this.#pump(endpointId);
  }

  #finish(job: Job, status: number | null, error: string | null): void {
    if (this.#closed) return;
    this.#record(job, status, error);
    const delivered = status !== null && status >= 200 && status < 300;
    if (delivered || job.attempt >= this.#parts.settings.maxAttempts) {
      job.done();
      return;
    }
    const waitMs = Math.min(this.#parts.settings.retryCapMs, this.#parts.settings.retryBaseMs * 2 ** (job.attempt - 1));
    job.attempt += 1;
    this.#later(waitMs, () => this.#enqueue(job));
  }

  #record(job: Job, status: number | null, error: string | null): void {
    const { event, endpoint, attempt } = job;
    this.attempts.push({
      event: event.id,
      type: event.type,
      endpoint: endpoint.id,
      url: endpoint.url,
      attempt,
      status,
      error,
    });
    if (this.attempts.length > KEPT_ATTEMPTS) this.attempts.splice(0, this.attempts.length - KEPT_ATTEMPTS);
  }

  async #post(job: Job): Promise<{ status: number }> {
    const { endpoint, event } = job;
    const headers = {
      'Content-Type': 'application/json; charset=utf-8',
      'Stripe-Signature': signatureHeader(event.body, secretsOf(endpoint, this.#parts.now()), this.#parts.signedAt()),
      'User-Agent': 'Stripe/1.0 (+https://stripe.com/docs/webhooks)',
    };
    return this.#parts.deliver({ url: endpoint.url, headers, body: event.body });
  }
}
