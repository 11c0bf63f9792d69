/** The inbox and the mirror behind a real HTTP server and real workers: what receives events, without the rest. */
import { registerInboxRoutes } from '../../src/inbox/index.ts';
import { inboxTasks } from '../../src/inbox/tasks.ts';
import { syncObject } from '../../src/mirror/sync-object.ts';
import type { SyncRequest, SyncResult } from '../../src/mirror/types.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { connectDatabase, type Database } from '../../src/platform/database.ts';
import { startJobs, type Task } from '../../src/platform/jobs.ts';
import { createLog } from '../../src/platform/log.ts';
import type { RetrySettings } from '../../src/platform/retry-delay.ts';
import { createConnections, createStripeClient } from '../../src/stripe/connections.ts';
import type { Client } from './client.ts';
import { startHttp } from './http.ts';
import { WEBHOOK_SECRET } from './signed-events.ts';

export interface InboxService {
  /** Without a path. */
  url: string;
  db: Database;
  admin: Client;
  as(key: string | null): Client;
  /** Runs the inbox's own task by hand. */
  wake: (payload: object) => Promise<void>;
  close(): Promise<void>;
}

export interface InboxServiceOptions {
  databaseUrl: string;
  stripeUrl: string;
  /** How long Stripe may be silent. Default 2 s. */
  stripeTimeoutMs?: number;
  /** Default: some milliseconds between attempts, so that a test sees several. */
  retry?: RetrySettings;
  /** In place of the mirror. */
  syncObject?: (request: SyncRequest) => Promise<SyncResult>;
}

export const QUICK_RETRY: RetrySettings = { baseMs: 50, capMs: 500, maxAttempts: 1_000 };

export async function startInboxService(options: InboxServiceOptions): Promise<InboxService> {
  const { databaseUrl, stripeUrl, stripeTimeoutMs = 2_000, retry = QUICK_RETRY } = options;
  const log = createLog(process.env.TEST_LOG_LEVEL ?? 'silent');
  const connect = (name: string) => connectDatabase({ connectionString: databaseUrl }, { log, max: 8, name });
  const [http, work] = [connect('http'), connect('work')];
  const connection = {
    id: 'default',
    client: createStripeClient({ secretKey: 'sk_test_inbox', apiBase: stripeUrl, timeoutMs: stripeTimeoutMs }),
    webhookSecrets: [WEBHOOK_SECRET],
    livemode: false,
    installation: 'test-installation',
  };
  const shared = { clock: systemClock, connections: createConnections([connection]), log };
  const mirror = { ...shared, db: work.db };
  const service = await startHttp({ ...http, url: databaseUrl, drop: async () => {} }, {}, (app) =>
    registerInboxRoutes(app, { ...shared, db: http.db }),
  );
  const tasks = inboxTasks({
    ...mirror,
    retry,
    syncObject: options.syncObject ?? ((request) => syncObject(mirror, request)),
  });
  const nothing: Task = async () => {};
  const jobs = await startJobs({
    pool: work.pool,
    tasks: {
      ...tasks,
      recompute_customers: nothing,
      reconcile: nothing,
      schedule_reconcile: nothing,
      import: nothing,
      reconcile_continuously: nothing,
      catch_up_events: nothing,
      housekeeping: nothing,
    },
    cron: [],
    concurrency: 4,
    log,
    pollMs: 100,
  });
  const info = { attempt: 1, maxAttempts: 1, signal: new AbortController().signal };
  return {
    url: service.url,
    db: http.db,
    admin: service.admin,
    as: service.as,
    wake: (payload) => tasks.wake_parked(payload, info),
    close: async () => {
      await service.close();
      await jobs.stop();
      await http.close();
      await work.close();
    },
  };
}
