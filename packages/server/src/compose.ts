/** The one place that wires: every room gets here what it needs, and nothing else knows them all. */
import { registerAdoptionRoutes } from './adoption/routes.ts';
import { importTask } from './adoption/run.ts';
import { registerAuditRoutes } from './audit/routes.ts';
import { registerCatalogRoutes } from './catalog/routes.ts';
import { registerCheckoutRoutes } from './checkout/checkout-routes.ts';
import { registerPortalRoutes } from './checkout/portal-routes.ts';
import { createRegistry, registerConnectionRoutes } from './connections/index.ts';
import { registerCustomersRoutes } from './customers/routes.ts';
import { announcePassedTask } from './entitlements/announce-passed.ts';
import { forgetOldRecomputations } from './entitlements/forget.ts';
import { createEntitlementReader } from './entitlements/reader.ts';
import { recomputeCustomersTask, requestRecomputation } from './entitlements/recompute-customers.ts';
import { registerEntitlementRoutes } from './entitlements/routes.ts';
import { registerGrantRoutes } from './grants/routes.ts';
import {
  CATCH_UP_SCHEDULE,
  catchUpEventsTask,
  EVENT_TYPES,
  forgetOldEvents,
  inboxTasks,
  registerInboxRoutes,
  WAKE_SCHEDULE,
} from './inbox/index.ts';
import { syncObject } from './mirror/sync-object.ts';
import { deliverNoticesTask } from './notices/deliver.ts';
import { forgetOldNotices } from './notices/forget.ts';
import { registerNoticeRoutes } from './notices/routes.ts';
import { sealEndpointsAgain } from './notices/seal-again.ts';
import type { Send } from './notices/send.ts';
import { housekeepingTask } from './operations/housekeeping.ts';
import { createMetrics } from './operations/metrics.ts';
import { checkReadiness } from './operations/readiness.ts';
import { registerOperationsRoutes } from './operations/routes.ts';
import { registerParkedRoutes } from './parked/routes.ts';
import type { Clock } from './platform/clock.ts';
import { type Connection, connectDatabase, type Database } from './platform/database.ts';
import { type App, type AppOptions, createApp } from './platform/http/app.ts';
import { type CronEntry, type Jobs, startJobs, type Task, type TaskName } from './platform/jobs.ts';
import type { Log } from './platform/log.ts';
import { listen } from './platform/notify.ts';
import type { Sealer } from './platform/sealing.ts';
import { isStrongAdminKey } from './platform/strong-secret.ts';
import { createAuthenticator, KEYS_CHANNEL } from './projects/authenticate.ts';
import { registerProjectRoutes } from './projects/routes.ts';
import { CONTINUOUS_SCHEDULE, continuousTask } from './reconciliation/continuous.ts';
import { forgetOldRuns } from './reconciliation/forget.ts';
import { registerReconciliationRoutes } from './reconciliation/routes.ts';
import { reconcileTask } from './reconciliation/run.ts';
import { scheduleReconcileTask } from './reconciliation/schedule.ts';
import { registerRevenueRoutes } from './revenue/routes.ts';
import type { Connections } from './stripe/connections.ts';
import type { Manner } from './stripe/manner.ts';
import { createPace } from './stripe/pace.ts';

export interface Parts {
  /** A migrated database. */
  database: Connection;
  /** Those from the settings; the others are in the database. */
  connections: Connections;
  /** Why there may be no live key in the database; none: there may. Default none. */
  liveRefusals?: readonly string[];
  /** Where Stripe reaches the service, without a slash at the end. Default: nobody said. */
  publicUrl?: string | null;
  clock: Clock;
  log: Log;
  version: string;
  /** The operator's key from outside the database; null: only those in it. */
  adminKey: string | null;
  /** Keeps secrets that have to be read again; null: none can be kept. */
  sealer: Sealer | null;
  /** Five fields, UTC. */
  reconcileCron: string;
  /** How often jobs whose time has come are looked for. Default once a second. */
  pollMs?: number;
  /** Calls a second to each of Stripe's endpoints for reconciliation and imports together; null: no limit. Default 20. */
  callsPerSecond?: number | null;
  /** How many objects reconciliation asks Stripe for at once, and how patiently. */
  reconcile?: Partial<Omit<Manner, 'pace'>>;
  /** The same for imports. */
  import?: Partial<Omit<Manner, 'pace'>>;
  /** Whether lost events and drift are looked for all the time, and not by reconciliations alone. Default true. */
  continuous?: boolean;
  /** Ports of this machine, besides the service's own, to which no notice may go: the sandbox's. Default none. */
  ownPorts?: readonly number[];
  /** How apps are told of changes. Default over HTTP; the simulation has apps of its own. */
  sendNotice?: Send;
  /** Who takes the jobs and runs them. Default `startJobs`; the simulation has an order of its own. */
  runJobs?: typeof startJobs;
  limits?: Pick<AppOptions, 'rateLimit' | 'failedAttempts' | 'bodyLimit' | 'idempotencyStaleAfterMs' | 'trustProxy'>;
}

export interface Service {
  app: App;
  db: Database;
  /** Begins to work on jobs. */
  work(): Promise<void>;
  /** Begins to work on jobs and to answer. @returns where: `http://127.0.0.1:3000` */
  listen(address: { host: string; port: number }): Promise<string>;
  /** Takes no more requests and jobs, finishes those under way, then lets go of everything. */
  close(): Promise<void>;
}

const HTTP_CONNECTIONS = 10;
/** Jobs at once; each may hold a connection of its own, and the workers' watch holds one. */
const WORKERS = 8;
/** Endpoints of apps that are told of changes at once. */
const SLOW_WORKERS = 4;

const EVERY_MINUTE = '* * * * *';
/** Every hour, at a quiet minute. */
const HOUSEKEEPING_CRON = '41 * * * *';
/** What each room forgets, as time goes by. */
const FORGET = [forgetOldNotices, forgetOldEvents, forgetOldRuns, forgetOldRecomputations];

/**
 * Puts the service together on a migrated database. It listens to changes from here on, and answers and works after
 * `listen`. Pages of its own (the demo) are added to `app` before that.
 */
export async function compose(parts: Parts): Promise<Service> {
  const { clock, log } = parts;
  const stack = new AsyncDisposableStack();
  try {
    const http = connectDatabase(parts.database, { log, max: HTTP_CONNECTIONS, name: 'tollgate http' });
    stack.defer(() => http.close());
    const work = connectDatabase(parts.database, { log, max: WORKERS + SLOW_WORKERS + 4, name: 'tollgate jobs' });
    stack.defer(() => work.close());
    const { db } = http;

    const stored = { db, clock, log, sealer: parts.sealer, liveRefusals: parts.liveRefusals ?? [] };
    const connections = await createRegistry({ ...stored, database: parts.database, environment: parts.connections });
    stack.defer(() => connections.stop());
    await sealEndpointsAgain({ db, clock, log, sealer: parts.sealer });
    const authenticator = createAuthenticator({
      db,
      clock,
      adminKey: parts.adminKey ?? undefined,
      onError: (error) =>
        log.warn({ err: error }, 'Keys could not be read, or their last uses not written; trying again'),
    });
    stack.defer(() => authenticator.close());
    const heardKeys = await listen(
      parts.database,
      KEYS_CHANNEL,
      (keyId) => authenticator.forget(keyId),
      () => authenticator.doubt(),
      log,
    );
    stack.defer(() => heardKeys.stop());
    const reader = await createEntitlementReader({ db, connection: parts.database, clock, log });
    stack.defer(() => reader.close());

    let jobs: Jobs | undefined;
    let slowJobs: Jobs | undefined;
    const metrics = createMetrics({ pools: { http: http.pool, jobs: work.pool }, cache: () => reader.counts() });
    const app = await createApp({
      log,
      db,
      clock,
      authenticate: authenticator.authenticate,
      version: parts.version,
      onAnswered: metrics.onAnswered,
      guessable: parts.adminKey !== null && !isStrongAdminKey(parts.adminKey),
      ...parts.limits,
    });
    registerOperationsRoutes(app, {
      metrics,
      readiness: () =>
        checkReadiness({
          pool: http.pool,
          jobsRunning: () => (jobs?.running() && slowJobs?.running()) ?? false,
          cacheListening: () => reader.state().listening && heardKeys.connected(),
        }),
    });
    registerProjectRoutes(app, {
      db,
      clock,
      keys: authenticator,
      requestRecomputation,
      modeOf: async (id) => {
        if (!connections.ids().includes(id)) await connections.reload();
        if (!connections.ids().includes(id)) return null;
        return connections.get(id).livemode ? 'live' : 'test';
      },
    });
    registerCatalogRoutes(app, { db, clock, connections, requestRecomputation });
    registerCustomersRoutes(app, { db, clock, connections });
    registerCheckoutRoutes(app, { db, clock, connections, log, snapshots: reader });
    registerPortalRoutes(app, { db, clock, connections, log, snapshots: reader });
    registerEntitlementRoutes(app, { db, clock, reader });
    registerGrantRoutes(app, { db, clock, snapshots: reader });
    const ownPorts = () => [
      ...(parts.ownPorts ?? []),
      ...app.addresses().flatMap((at) => (typeof at === 'string' ? [] : [at.port])),
    ];
    registerNoticeRoutes(app, { db, clock, sealer: parts.sealer, ownPorts });
    const eventTypes = Object.keys(EVENT_TYPES);
    registerConnectionRoutes(app, {
      ...stored,
      registry: connections,
      publicUrl: parts.publicUrl ?? null,
      eventTypes,
    });
    registerInboxRoutes(app, { db, clock, connections, log, findConnection: connections.find });
    registerParkedRoutes(app, { db, clock, connections, log, snapshots: reader });
    registerAdoptionRoutes(app, { db, clock });
    registerReconciliationRoutes(app, { db, clock, connections });
    registerRevenueRoutes(app, { db, clock });
    registerAuditRoutes(app, { db });

    // Apps may take their time: nothing else waits behind them.
    const slowTasks = {
      deliver_notices: deliverNoticesTask({
        db: work.db,
        clock,
        log,
        sealer: parts.sealer,
        ownPorts,
        ...(parts.sendNotice === undefined ? {} : { send: parts.sendNotice }),
      }),
    } satisfies Partial<Record<TaskName, Task>>;
    // Jobs have connections of their own: a burst of them cannot keep a check waiting.
    const mirror = { db: work.db, clock, connections, log };
    const reconciling = { ...mirror, eventTypes };
    const pace = createPace(parts.callsPerSecond);
    const tasks: Record<Exclude<TaskName, keyof typeof slowTasks>, Task> = {
      ...inboxTasks({
        ...mirror,
        syncObject: async (request) => {
          // The event may have come to another process, about a connection that this one has not heard of yet.
          await connections.find(request.connectionId);
          return await syncObject(mirror, request);
        },
      }),
      recompute_customers: recomputeCustomersTask({ db: work.db, clock }),
      reconcile: reconcileTask(reconciling, { ...parts.reconcile, pace }),
      import: importTask({ ...mirror, requestRecomputation }, { ...parts.import, pace }),
      schedule_reconcile: scheduleReconcileTask(mirror),
      announce_passed: announcePassedTask({ db: work.db, clock }),
      housekeeping: housekeepingTask({ db: work.db, clock, forget: FORGET }),
      reconcile_continuously: continuousTask(reconciling),
      catch_up_events: catchUpEventsTask(mirror),
    };
    const cron: CronEntry[] = [
      { task: 'schedule_reconcile', schedule: parts.reconcileCron, catchUp: true },
      WAKE_SCHEDULE,
      { task: 'announce_passed', schedule: EVERY_MINUTE },
      ...(parts.continuous === false ? [] : [CATCH_UP_SCHEDULE, CONTINUOUS_SCHEDULE]),
      { task: 'housekeeping', schedule: HOUSEKEEPING_CRON },
    ];

    const { runJobs = startJobs } = parts;
    const beginWork = async () => {
      const shared = {
        pool: work.pool,
        log,
        onFinish: metrics.onJobFinished,
        ...(parts.pollMs === undefined ? {} : { pollMs: parts.pollMs }),
      };
      jobs = await runJobs({ ...shared, tasks, cron, concurrency: WORKERS });
      slowJobs = await runJobs({ ...shared, tasks: slowTasks, cron: [], concurrency: SLOW_WORKERS });
    };
    let closing: Promise<void> | undefined;
    return {
      app,
      db,
      work: beginWork,
      listen: async (address) => {
        await beginWork();
        return await app.listen(address);
      },
      close: () => {
        // Requests first: what they take, they finish, and their jobs are there for whoever comes next.
        closing ??= app
          .close()
          .then(() => Promise.all([jobs?.stop(), slowJobs?.stop()]))
          .then(() => stack.disposeAsync());
        return closing;
      },
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}
