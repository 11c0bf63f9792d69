/** One process of the service: composed as in production, with the simulation's clock, database, Stripe and jobs below. */
import { compose, type Service } from '../../packages/server/src/compose.ts';
import type { Send } from '../../packages/server/src/notices/send.ts';
import { systemClock } from '../../packages/server/src/platform/clock.ts';
import type { JobsOptions } from '../../packages/server/src/platform/jobs.ts';
import { createLog } from '../../packages/server/src/platform/log.ts';
import { createSealer } from '../../packages/server/src/platform/sealing.ts';
import { createConnections, createStripeClient } from '../../packages/server/src/stripe/connections.ts';
import { type Owner, owners } from '../virtual/time.ts';
import { STRIPE_KEY } from './stripe.ts';

export const ADMIN_KEY = 'tg_admin_of_the_simulation_0123456789abcdefghijklm';
export const WEBHOOK_SECRET = 'whsec_of_the_simulation_0123456789abcdefghij';
export const INSTALLATION = 'simulation';

/** A request's answer. */
export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: whoever asks knows what to expect
  body: any;
}

export class ProcessDied extends Error {
  override readonly name = 'ProcessDied';
}

export type Transport = NonNullable<Parameters<typeof createStripeClient>[0]['transport']>['httpClient'];

export class Process implements Owner {
  readonly name: string;
  alive = true;
  /** What it does with jobs; null until it is up. */
  tasks: JobsOptions['tasks'] | null = null;
  #service: Service | null = null;
  readonly #died = Promise.withResolvers<never>();

  constructor(name: string) {
    this.name = name;
    this.#died.promise.catch(() => {});
  }

  async start(
    { transport, sendNotice }: { transport: Transport; sendNotice: Send },
    { logLevel, pageSize }: { logLevel: string; pageSize: number },
  ): Promise<void> {
    await owners.run(this, async () => {
      const client = createStripeClient({
        secretKey: STRIPE_KEY,
        apiBase: 'http://stripe.simulation',
        transport: { httpClient: transport, retries: 1 },
      });
      const service = await compose({
        database: { connectionString: 'postgresql://simulation' },
        connections: createConnections([
          { id: 'default', client, webhookSecrets: [WEBHOOK_SECRET], livemode: false, installation: INSTALLATION },
        ]),
        clock: systemClock,
        log: createLog(logLevel),
        version: '0.0.0-simulation',
        adminKey: ADMIN_KEY,
        sealer: createSealer([Buffer.alloc(32, 'simulation')]),
        sendNotice,
        reconcileCron: '0 3 * * *',
        callsPerSecond: null,
        reconcile: { pageSize },
        runJobs: async ({ tasks }) => {
          // Fast and slow work have workers of their own; here anybody takes anything.
          this.tasks = { ...this.tasks, ...tasks };
          return { running: () => this.alive, stop: async () => {} };
        },
        limits: { rateLimit: { max: 1e9, windowMs: 1_000 }, failedAttempts: { max: 1e9, windowMs: 1_000 } },
      });
      await service.app.ready();
      await service.work();
      this.#service = service;
    });
  }

  get up(): boolean {
    return this.alive && this.#service !== null;
  }

  get db(): Service['db'] {
    if (this.#service === null) throw new ProcessDied(`${this.name} is not up.`);
    return this.#service.db;
  }

  die(): void {
    this.alive = false;
    this.tasks = null;
    this.#service = null;
    this.#died.reject(new ProcessDied(`${this.name} died.`));
  }

  /** @throws ProcessDied when it dies before it answers */
  async request(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    url: string,
    options: { key?: string; body?: object | string; headers?: Record<string, string> } = {},
  ): Promise<Answer> {
    const { app } = this.#service ?? {};
    if (app === undefined || !this.alive) throw new ProcessDied(`${this.name} is not up.`);
    const answer = owners.run(
      this,
      async () =>
        await app.inject({
          method,
          url,
          headers: {
            ...(options.key === undefined ? {} : { authorization: `Bearer ${options.key}` }),
            ...options.headers,
          },
          ...(options.body === undefined ? {} : { payload: options.body }),
        }),
    );
    const { statusCode, body, headers } = await Promise.race([answer, this.#died.promise]);
    const json = String(headers['content-type'] ?? '').includes('json');
    return { status: statusCode, body: json && body !== '' ? JSON.parse(body) : body };
  }
}
