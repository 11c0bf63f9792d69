/** Projects, catalog and customers over HTTP on a sandbox of the test's own: no webhooks and no workers. */
import type { PurchaseFact, SubscriptionFact } from '@tollgate/core';
import { type Sandbox, startSandbox } from '@tollgate/stripe-sandbox';
import { registerCatalogRoutes } from '../../src/catalog/routes.ts';
import { ensureCustomer } from '../../src/customers/ensure-customer.ts';
import { registerCustomersRoutes } from '../../src/customers/routes.ts';
import { recomputeCustomer } from '../../src/entitlements/recompute.ts';
import { recomputeCustomersTask, requestRecomputation } from '../../src/entitlements/recompute-customers.ts';
import { saveFact } from '../../src/facts/save-fact.ts';
import { type Connections, createConnections, createStripeClient } from '../../src/stripe/connections.ts';
import type { Stripe } from '../../src/stripe/types.ts';
import type { Client } from './client.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { type HttpService, movableClock, startHttp } from './http.ts';

export const INSTALLATION = 'test-installation';

export interface SellingProject {
  id: string;
  /** An app with a secret key of every scope. */
  secret: Client;
  publishable: Client;
}

export interface Selling {
  database: TestDatabase;
  service: HttpService;
  sandbox: Sandbox;
  /** The SDK on the sandbox: what the business does by hand in Stripe. */
  stripe: Stripe;
  createProject(slug: string): Promise<SellingProject>;
  /** Runs something while nobody answers at Stripe's address. */
  withoutStripe<T>(run: () => Promise<T>): Promise<T>;
  /** Makes a fact known as the mirror would, and computes the customer. */
  know(projectId: string, externalId: string, fact: SubscriptionFact | PurchaseFact): Promise<void>;
  /** Works on the recomputations that were asked for, a few customers at a time. */
  runRecomputations(): Promise<void>;
  /** Keys of the jobs that wait. */
  jobKeys(): Promise<string[]>;
  close(): Promise<void>;
}

export async function startSelling(): Promise<Selling> {
  const database = await createTestDatabase({ max: 25 });
  const sandbox = await startSandbox();
  const clock = movableClock();
  const { db } = database;
  const client = (apiBase: string) => createStripeClient({ secretKey: 'sk_test_selling', apiBase });
  const connectionsTo = (apiBase: string) =>
    createConnections([
      {
        id: 'default',
        client: client(apiBase),
        webhookSecrets: ['whsec_unused'],
        livemode: false,
        installation: INSTALLATION,
      },
    ]);
  let current = connectionsTo(sandbox.url);
  const connections: Connections = { get: (id) => current.get(id), ids: () => current.ids() };
  const service = await startHttp(database, { rateLimit: { max: 10_000, windowMs: 1_000 } }, (app) => {
    registerCatalogRoutes(app, { db, clock, connections, requestRecomputation });
    registerCustomersRoutes(app, { db, clock, connections });
  });

  let sequence = 0;
  return {
    database,
    service,
    sandbox,
    stripe: client(sandbox.url),
    createProject: async (slug) => {
      const { body } = await service.admin.post('/admin/projects', { name: slug, slug });
      return { id: body.id, secret: service.as(body.secret_key), publishable: service.as(body.publishable_key) };
    },
    withoutStripe: async (run) => {
      const present = current;
      // A port that nobody may listen on: connections to it are refused.
      current = connectionsTo('http://127.0.0.1:1');
      try {
        return await run();
      } finally {
        current = present;
      }
    },
    know: async (projectId, externalId, fact) => {
      sequence += 1;
      const now = clock.now();
      const cause = { type: 'event', id: `evt_${sequence}` } as const;
      await db.transaction().execute(async (tx) => {
        const { id: customerId } = await ensureCustomer(tx, { projectId, externalId, now });
        await saveFact(tx, { projectId, customerId, fact, sequence, cause, recordedAt: new Date(now) });
        await recomputeCustomer(tx, { customerId, cause, now });
      });
    },
    runRecomputations: async () => {
      const task = recomputeCustomersTask({ db, clock, batchSize: 2 });
      const waiting = await db
        .selectFrom('tollgate.recomputations')
        .select('id')
        .where('status', '<>', 'completed')
        .orderBy('id')
        .execute();
      for (const { id } of waiting) {
        await task({ recomputation_id: id }, { attempt: 1, maxAttempts: 1, signal: new AbortController().signal });
      }
    },
    jobKeys: async () => {
      const { rows } = await database.pool.query<{ key: string }>(
        'select key from graphile_worker.jobs where key is not null order by key',
      );
      return rows.map(({ key }) => key);
    },
    close: async () => {
      await service.close();
      await sandbox.close();
      await database.drop();
    },
  };
}
