/** The whole service on a database and a sandbox of the test's own, reached over real connections. */
import { randomBytes } from 'node:crypto';
import { type Sandbox, startSandbox } from '@tollgate/stripe-sandbox';
import { compose, type Parts, type Service } from '../../src/compose.ts';
import type { Clock } from '../../src/platform/clock.ts';
import type { App } from '../../src/platform/http/app.ts';
import { createLog } from '../../src/platform/log.ts';
import { createSealer } from '../../src/platform/sealing.ts';
import { createConnections, createStripeClient } from '../../src/stripe/connections.ts';
import type { Stripe } from '../../src/stripe/types.ts';
import { type Client, createClient } from './client.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { ADMIN_KEY } from './http.ts';
import { until } from './until.ts';

export const WEBHOOK_SECRET = 'whsec_for_tests_0123456789abcdefghijklmnop';

export interface Tollgate {
  /** Without a path. */
  url: string;
  app: App;
  /** Clients of `/api/v1`: the operator, and an app with a secret key of every scope. */
  admin: Client;
  secret: Client;
  publishableKey: string;
  project: { id: string };
  sandbox: Sandbox;
  /** The SDK on the sandbox: what the business does by hand in Stripe. */
  stripe: Stripe;
  database: TestDatabase;
  clock: Clock;
  /** A client with another key. */
  as(key: string | null): Client;
  until: typeof until;
  close(): Promise<void>;
}

export interface TollgateOptions extends Partial<Omit<Parts, 'database' | 'connections'>> {
  /** A database that outlives the service. */
  database?: TestDatabase;
  /** A sandbox that outlives the service; its events go to the service that was started last. */
  sandbox?: Sandbox;
  /** Events of the sandbox do not arrive. Default false. */
  deaf?: boolean;
  stripeTimeoutMs?: number;
}

/** Starts everything; a project called Test is there already. */
export async function startTollgate(options: TollgateOptions = {}): Promise<Tollgate> {
  const { database: givenDatabase, sandbox: givenSandbox, deaf = false, stripeTimeoutMs = 15_000, ...parts } = options;
  const stack = new AsyncDisposableStack();
  const database = givenDatabase ?? (await createTestDatabase());
  if (givenDatabase === undefined) stack.defer(() => database.drop());
  const sandbox = givenSandbox ?? (await startSandbox());
  if (givenSandbox === undefined) stack.defer(() => sandbox.close());
  const client = createStripeClient({
    secretKey: 'sk_test_of_the_tests',
    apiBase: sandbox.url,
    timeoutMs: stripeTimeoutMs,
  });
  const clock = parts.clock ?? { now: () => Date.now() + sandbox.aheadMs() };
  const service: Service = await compose({
    log: createLog(process.env.TEST_LOG_LEVEL ?? 'silent'),
    version: '0.0.0-test',
    adminKey: ADMIN_KEY,
    sealer: createSealer([randomBytes(32)]),
    reconcileCron: '17 3 * * *',
    pollMs: 200,
    limits: { rateLimit: { max: 100_000, windowMs: 1_000 }, failedAttempts: { max: 100_000, windowMs: 1_000 } },
    // What a test leaves undelivered is not to be found by itself.
    continuous: false,
    ownPorts: [sandbox.port],
    ...parts,
    clock,
    database: { connectionString: database.url },
    connections: createConnections([
      { id: 'default', client, webhookSecrets: [WEBHOOK_SECRET], livemode: false, installation: 'tests' },
    ]),
  });
  stack.defer(() => service.close());
  const url = await service.listen({ host: '127.0.0.1', port: 0 });
  if (!deaf) sandbox.deliverTo([{ url: `${url}/api/v1/webhooks/stripe`, secret: WEBHOOK_SECRET }]);

  const as = (key: string | null) => createClient(`${url}/api/v1`, key);
  const admin = as(parts.adminKey ?? ADMIN_KEY);
  const slug = `test-${randomBytes(4).toString('hex')}`;
  const made = await admin.post('/admin/projects', { name: 'Test', slug });
  if (made.status !== 201) throw new Error(`The test's project was not made: ${JSON.stringify(made.body)}`);
  return {
    url,
    app: service.app,
    admin,
    secret: as(made.body.secret_key),
    publishableKey: made.body.publishable_key,
    project: { id: made.body.id },
    sandbox,
    stripe: client,
    database,
    clock,
    as,
    until,
    close: () => stack.disposeAsync(),
  };
}
