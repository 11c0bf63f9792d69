/** Projects, features, grants and entitlements over HTTP, on a database of the test's own: no Stripe, no workers. */
import { registerAuditRoutes } from '../../src/audit/routes.ts';
import { registerFeatureRoutes } from '../../src/catalog/feature-routes.ts';
import {
  createEntitlementReader,
  type EntitlementReader,
  type EntitlementReaderOptions,
} from '../../src/entitlements/reader.ts';
import { requestRecomputation } from '../../src/entitlements/recompute-customers.ts';
import { registerEntitlementRoutes } from '../../src/entitlements/routes.ts';
import { registerGrantRoutes } from '../../src/grants/routes.ts';
import { connectDatabase, type Database } from '../../src/platform/database.ts';
import { type App, type AppOptions, createApp } from '../../src/platform/http/app.ts';
import { createLog } from '../../src/platform/log.ts';
import { createAuthenticator } from '../../src/projects/authenticate.ts';
import { registerProjectRoutes } from '../../src/projects/routes.ts';
import { type Answer, type Client, createClient } from './client.ts';
import { ADMIN_KEY, type MovableClock, movableClock } from './http.ts';

export interface EntitlementsService {
  app: App;
  db: Database;
  reader: EntitlementReader;
  clock: MovableClock;
  admin: Client;
  as(key: string | null): Client;
  close(): Promise<void>;
}

export interface EntitlementsServiceOptions
  extends Partial<Omit<EntitlementReaderOptions, 'db' | 'connection' | 'clock'>> {
  clock?: MovableClock;
  /** Default: none that a test would meet. */
  rateLimit?: NonNullable<AppOptions['rateLimit']>;
}

/** One process of the service; several may share a database. */
export async function startEntitlements(
  databaseUrl: string,
  {
    clock = movableClock(),
    rateLimit = { max: 100_000, windowMs: 1_000 },
    ...options
  }: EntitlementsServiceOptions = {},
): Promise<EntitlementsService> {
  const log = createLog(process.env.TEST_LOG_LEVEL ?? 'silent');
  const connection = { connectionString: databaseUrl };
  const { db, close } = connectDatabase(connection, { log, max: 10, name: 'test entitlements' });
  const authenticator = createAuthenticator({ db, clock, adminKey: ADMIN_KEY });
  const app = await createApp({ log, db, clock, authenticate: authenticator.authenticate, rateLimit });
  const reader = await createEntitlementReader({ db, connection, clock, log, ...options });
  registerProjectRoutes(app, { db, clock, keys: authenticator, requestRecomputation });
  registerFeatureRoutes(app, { db, clock });
  registerAuditRoutes(app, { db });
  registerEntitlementRoutes(app, { db, clock, reader });
  registerGrantRoutes(app, { db, clock, snapshots: reader });
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  const as = (key: string | null) => createClient(`${url}/api/v1`, key);
  return {
    app,
    db,
    reader,
    clock,
    admin: as(ADMIN_KEY),
    as,
    close: async () => {
      await app.close();
      await reader.close();
      await authenticator.close();
      await close();
    },
  };
}

/** A project with the features that the tests speak of: `pro_export`, `priority_support`, `seats` and `api_calls`. */
export interface TestProject {
  id: string;
  secretKey: string;
  app: Client;
  grant(customerId: string, feature: string, more?: Record<string, unknown>): Promise<Answer>;
  check(customerId: string, feature: string): Promise<Answer>;
}

export async function createTestProject(service: EntitlementsService, slug = 'test'): Promise<TestProject> {
  const { body } = await service.admin.post('/admin/projects', { name: slug, slug });
  const app = service.as(body.secret_key);
  for (const feature of [
    { code: 'pro_export', name: 'Pro export', type: 'boolean' },
    { code: 'priority_support', name: 'Priority support', type: 'boolean' },
    { code: 'seats', name: 'Seats', type: 'limit' },
    { code: 'api_calls', name: 'API calls', type: 'limit', aggregation: 'sum' },
  ]) {
    const made = await app.post('/features', feature);
    if (made.status !== 201) throw new Error(`Could not create a feature: ${JSON.stringify(made.body)}`);
  }
  return {
    id: body.id,
    secretKey: body.secret_key,
    app,
    grant: (customerId, feature, more = {}) =>
      service.admin.post('/admin/grant', {
        project_id: body.id,
        customer_id: customerId,
        feature,
        reason: 'A test',
        ...more,
      }),
    check: (customerId, feature) =>
      app.get(`/check?customer_id=${encodeURIComponent(customerId)}&feature=${encodeURIComponent(feature)}`),
  };
}
