/** Who asks for an object while it is being synced and every worker is busy: the jobs run by hand, one after the other. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { receiveEvent } from '../../src/inbox/receive-event.ts';
import { inboxTasks } from '../../src/inbox/tasks.ts';
import type { SyncResult } from '../../src/mirror/types.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { createLog } from '../../src/platform/log.ts';
import { createConnections, createStripeClient } from '../../src/stripe/connections.ts';
import { parseEvent } from '../../src/stripe/webhook-event.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { eventAbout } from '../support/signed-events.ts';

const connection = {
  id: 'default',
  client: createStripeClient({ secretKey: 'sk_test_inbox', apiBase: null }),
  webhookSecrets: ['whsec_test'],
  livemode: false,
  installation: 'test-installation',
};
const info = { attempt: 1, maxAttempts: 1, signal: new AbortController().signal };

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase({ max: 4 });
});
afterAll(() => database.drop());

/** Takes the jobs that wait. @returns what they are told */
async function takeJobs(): Promise<object[]> {
  const { rows } = await database.pool.query(
    'with taken as (delete from graphile_worker._private_jobs returning id, payload) select payload from taken order by id',
  );
  return rows.map(({ payload }) => payload);
}

test("a payment that becomes somebody's while it is judged to be nobody's is looked at again, whoever else asks", async () => {
  const { db } = database;
  const fetch = { begun: Promise.withResolvers<void>(), answer: Promise.withResolvers<SyncResult>() };
  const nobodys: SyncResult = { status: 'ignored', reason: 'unknown_subscription', projectId: null, customerId: null };
  const causes: string[] = [];
  const { sync_object: sync, wake_parked: wake } = inboxTasks({
    db,
    clock: systemClock,
    connections: createConnections([connection]),
    log: createLog('silent'),
    syncObject: async ({ cause }) => {
      causes.push(cause.type);
      fetch.begun.resolve();
      return await fetch.answer.promise;
    },
  });
  const refund = eventAbout('charge.refunded', { id: 'ch_1', object: 'charge', payment_intent: 'pi_1' });
  const event = parseEvent(Buffer.from(JSON.stringify(refund)));
  if (event === null) throw new Error('The event cannot be read.');
  await receiveEvent({ db, clock: systemClock }, connection, event);

  const [own] = await takeJobs();
  const underWay = sync({ connectionId: 'default', ref: { type: 'payment', id: 'pi_1' } }, info);
  await fetch.begun.promise;
  await sync(own, info);
  await wake({ connectionId: 'default', objectId: 'pi_1' }, info);
  fetch.answer.resolve(nobodys);
  await underWay;
  expect(await db.selectFrom('tollgate.events').select('status').execute()).toEqual([{ status: 'ignored' }]);

  for (const job of await takeJobs()) await sync(job, info);
  expect(causes).toEqual(['event', 'catalog']);
});
