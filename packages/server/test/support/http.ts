/** The HTTP application with the rooms of projects and audit alone, for tests that need neither Stripe nor jobs. */
import { registerAuditRoutes } from '../../src/audit/routes.ts';
import type { Clock } from '../../src/platform/clock.ts';
import { type App, type AppOptions, createApp } from '../../src/platform/http/app.ts';
import { createLog } from '../../src/platform/log.ts';
import { listen } from '../../src/platform/notify.ts';
import { type Authenticator, createAuthenticator, KEYS_CHANNEL } from '../../src/projects/authenticate.ts';
import { registerProjectRoutes } from '../../src/projects/routes.ts';
import type { RequestRecomputation } from '../../src/projects/update-project.ts';
import { type Client, createClient } from './client.ts';
import type { TestDatabase } from './database.ts';

export const ADMIN_KEY = 'tg_admin_for_tests_0123456789abcdefghijklmnopqrst';

export interface MovableClock extends Clock {
  advance(ms: number): void;
}

/** A clock that runs, and that a test can move forward. */
export function movableClock(): MovableClock {
  let ahead = 0;
  return {
    now: () => Date.now() + ahead,
    advance: (ms) => {
      ahead += ms;
    },
  };
}

export interface HttpService {
  app: App;
  /** Without a path. */
  url: string;
  clock: MovableClock;
  authenticator: Authenticator;
  /** What was asked of the rooms that are not there. */
  recomputations: Parameters<RequestRecomputation>[1][];
  admin: Client;
  /** A client of `/api/v1` with another key. */
  as(key: string | null): Client;
  close(): Promise<void>;
}

/**
 * @param addRoutes - routes of the test's own, before the application listens
 */
export async function startHttp(
  database: TestDatabase,
  options: Partial<AppOptions> = {},
  addRoutes: (app: App) => void = () => {},
): Promise<HttpService> {
  const clock = movableClock();
  const { db } = database;
  const authenticator = createAuthenticator({ db, clock, adminKey: ADMIN_KEY });
  const keys = await listen(
    { connectionString: database.url },
    KEYS_CHANNEL,
    (keyId) => authenticator.forget(keyId),
    () => authenticator.doubt(),
  );
  const log = createLog(process.env.TEST_LOG_LEVEL ?? 'silent');
  const app = await createApp({ log, db, clock, authenticate: authenticator.authenticate, ...options });
  const recomputations: HttpService['recomputations'] = [];
  registerProjectRoutes(app, {
    db,
    clock,
    keys: authenticator,
    requestRecomputation: async (_tx, request) => recomputations.push(request),
  });
  registerAuditRoutes(app, { db });
  app.get('/openapi.json', { config: { access: { public: true } }, schema: { hide: true } }, async () => app.swagger());
  addRoutes(app);
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  const as = (key: string | null) => createClient(`${url}/api/v1`, key);
  return {
    app,
    url,
    clock,
    authenticator,
    recomputations,
    admin: as(ADMIN_KEY),
    as,
    close: async () => {
      await app.close();
      await keys.stop();
      await authenticator.close();
    },
  };
}
