/** What becomes of a payment's money between the first look at its subscription and the moment that this is saved. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { wakeParkedTask } from '../../src/inbox/wake-parked.ts';
import { customer, invoice, invoicePayment, item, price, subscription } from '../support/mirror-objects.ts';
import { type MirrorWorld, startMirrorWorld } from '../support/mirror-world.ts';
import { until } from '../support/until.ts';

let world: MirrorWorld;

beforeAll(async () => {
  world = await startMirrorWorld();
});
afterAll(() => world.close());

/** Runs something while somebody else has the customer's row, for which a save waits. */
async function whileSavingWaits(customerId: string, saving: () => Promise<unknown>, run: () => Promise<unknown>) {
  const { pool } = world.database;
  const other = await pool.connect();
  try {
    await other.query('begin');
    await other.query('select from tollgate.customers where id = $1 for update', [customerId]);
    const saved = saving();
    await until(async () => {
      const { rows } = await pool.query(
        "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
      );
      return rows.length > 0;
    });
    await run();
    await other.query('commit');
    await saved;
  } finally {
    other.release();
  }
}

/** That there is a dispute is told, and the payment is nobody's then. */
async function hearOfDispute(payment: string): Promise<void> {
  const at = { created_at: new Date(), received_at: new Date() };
  const told = { type: 'charge.dispute.created', livemode: false, object_type: 'payment', object_id: payment } as const;
  await world.database.db
    .insertInto('tollgate.events')
    .values({ connection_id: 'default', id: `evt_${payment}`, payload: '{}', status: 'ignored', ...at, ...told })
    .execute();
}

it('is looked at again, though the payment was made a moment ago and nobody asked Stripe about its money', async () => {
  const { stripe, database, deps } = world;
  const project = await world.addProject('a');
  const customerId = await world.addCustomer(project, 'ada', 'cus_ada');
  const payment = invoicePayment('inpay_ada', 'in_ada', 'pi_ada');
  payment.status_transitions.paid_at = Math.floor(deps.clock.now() / 1000) - 10;
  stripe.put(
    customer('cus_ada'),
    subscription('sub_ada', 'cus_ada', [item('si_ada', price('price_a', 'prod_a'))], { latest_invoice: 'in_ada' }),
    invoice('in_ada', 'sub_ada', {
      status: 'paid',
      billing_reason: 'subscription_create',
      payments: { data: [payment] },
    }),
  );
  await whileSavingWaits(
    customerId,
    () => world.sync('subscription', 'sub_ada'),
    () => hearOfDispute('pi_ada'),
  );
  expect(stripe.requests.filter((request) => request.startsWith('GET charges'))).toEqual([]);

  const wake = wakeParkedTask({ db: database.db, clock: deps.clock });
  const { rows: woken } = await database.pool.query(
    "select payload from graphile_worker._private_jobs where key like 'wake:%'",
  );
  for (const { payload } of woken) {
    await wake(payload, { attempt: 1, maxAttempts: 1, signal: new AbortController().signal });
  }
  const { rows: asked } = await database.pool.query("select key from graphile_worker.jobs where key like 'sync:%'");
  expect(asked).toEqual([{ key: 'sync:default:pi_ada' }]);
});
