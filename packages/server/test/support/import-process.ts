/** Works on imports as a process of its own, so that a test can kill it: `node import-process.ts DATABASE_URL STRIPE_URL`. */
import { importTask } from '../../src/adoption/run.ts';
import { requestRecomputation } from '../../src/entitlements/recompute-customers.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { connectDatabase } from '../../src/platform/database.ts';
import { startJobs, type Task } from '../../src/platform/jobs.ts';
import { createLog } from '../../src/platform/log.ts';
import { createConnections, createStripeClient } from '../../src/stripe/connections.ts';
import { createPace } from '../../src/stripe/pace.ts';

const [databaseUrl, stripeUrl] = process.argv.slice(2);
if (databaseUrl === undefined || stripeUrl === undefined) {
  throw new Error('Usage: import-process.ts DATABASE_URL STRIPE_URL');
}
const log = createLog('silent');
const { db, pool } = connectDatabase({ connectionString: databaseUrl }, { log, max: 6 });
const client = createStripeClient({ secretKey: 'sk_test_importing', apiBase: stripeUrl });
const connections = createConnections([
  { id: 'default', client, webhookSecrets: ['whsec_unused'], livemode: false, installation: 'test-installation' },
]);
const deps = { db, clock: systemClock, connections, log, requestRecomputation };
const idle: Task = async () => {};
await startJobs({
  pool,
  tasks: {
    sync_object: idle,
    recompute_customers: idle,
    wake_parked: idle,
    reconcile: idle,
    schedule_reconcile: idle,
    housekeeping: idle,
    // Slow enough to be killed between two pages.
    import: importTask(deps, { pace: createPace(8), pageSize: 2 }),
  },
  cron: [],
  concurrency: 1,
  log,
  pollMs: 100,
});
