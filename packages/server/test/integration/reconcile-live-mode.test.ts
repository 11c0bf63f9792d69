/** In live mode nothing is deleted but customers, which leave a stub: what else is not found is another account's key. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLog } from '../../src/platform/log.ts';
import { reconcileTask } from '../../src/reconciliation/run.ts';
import { createConnections } from '../../src/stripe/connections.ts';
import { createPace } from '../../src/stripe/pace.ts';
import { about, eventTypes, type FinishedRun, finished, quiet } from '../support/reconciling.ts';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

/** No event of the sandbox arrives. */
let tollgate: Tollgate;
beforeAll(async () => {
  tollgate = await startTollgate({ deaf: true, callsPerSecond: null });
  await tollgate.secret.post('/products', { name: 'Pro' });
});
afterAll(() => tollgate.close());

let runs = 0;

/** Works on a run as if the account moved real money. */
async function reconcileLive(verifiedAccount: string | null, dryRun = false): Promise<FinishedRun> {
  runs += 1;
  const id = `run_live_${runs}`;
  const { db } = tollgate.database;
  const whole = { project_id: null, customer_id: null, trigger: 'manual', counts: '{}' } as const;
  await db
    .insertInto('tollgate.reconciliation_runs')
    .values({ id, ...whole, status: 'queued', dry_run: dryRun, created_at: new Date() })
    .execute();
  const mode = { livemode: true, installation: 'tests', verifiedAccount };
  const connections = createConnections([
    { id: 'default', client: tollgate.stripe, webhookSecrets: ['whsec_unused'], ...mode },
  ]);
  const deps = { db, clock: tollgate.clock, connections, log: createLog('silent'), eventTypes };
  const { signal } = new AbortController();
  await reconcileTask(deps, { pace: createPace(null) })({ runId: id }, { attempt: 1, maxAttempts: 1, signal });
  return await finished(tollgate, id);
}

async function linkedTo(customer: string): Promise<string | null> {
  return (await tollgate.secret.get(`/customers/${customer}`)).body.stripe_customer_id;
}

test('a Stripe customer that was deleted is forgotten, since its stub says so', async () => {
  const made = await tollgate.stripe.customers.create({});
  await tollgate.secret.put('/customers/leaver', { stripe_customer_id: made.id });
  // Its first look would find the deletion by itself.
  await quiet(tollgate);
  await tollgate.stripe.customers.del(made.id);
  const drift = {
    kind: 'different',
    customer_id: 'leaver',
    fields: [{ field: 'deleted', before: false, after: true }],
  };
  expect(about(await reconcileLive(null, true), made.id)).toMatchObject([{ ...drift, action: 'would_repair' }]);
  expect(about(await reconcileLive(null), made.id)).toMatchObject([{ ...drift, action: 'repaired' }]);
  expect(await linkedTo('leaver')).toBeNull();
  expect((await reconcileLive(null)).drifts).toEqual([]);
});

test('one that Stripe does not find is forgotten only where the key was seen to be of the account', async () => {
  await tollgate.secret.put('/customers/lost', {});
  await tollgate.database.db
    .updateTable('tollgate.customers')
    .set({ stripe_customer_id: 'cus_of_another_account' })
    .where('external_id', '=', 'lost')
    .execute();
  const drift = { object_id: 'cus_of_another_account', kind: 'missing_in_stripe', customer_id: 'lost' };
  const refused = { ...drift, action: 'needs_person', detail: expect.stringContaining('live mode') };
  expect((await reconcileLive(null, true)).drifts).toMatchObject([refused]);
  expect((await reconcileLive(null)).drifts).toMatchObject([refused]);
  expect(await linkedTo('lost')).toBe('cus_of_another_account');
  expect((await reconcileLive('acct_seen')).drifts).toMatchObject([{ ...drift, action: 'repaired' }]);
  expect(await linkedTo('lost')).toBeNull();
});
