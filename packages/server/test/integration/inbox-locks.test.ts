/** Many events of one object, settled by one process while another wakes whatever names its Stripe customer. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { settleSynced } from '../../src/inbox/settle-events.ts';
import { waitingEvents } from '../../src/inbox/waiting-events.ts';
import { wakeParkedTask } from '../../src/inbox/wake-parked.ts';
import type { SyncResult } from '../../src/mirror/types.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase({ max: 8 });
  // Stored in the opposite order of their ids: an index and the table itself lead to them in different orders.
  await database.pool.query(
    `insert into tollgate.events (connection_id, id, type, livemode, object_type, object_id, related_ids, payload,
                                  status, created_at, received_at, next_attempt_at)
     select 'default', 'evt_' || lpad((1000 - n)::text, 4, '0'), 'customer.subscription.updated', false, 'subscription',
            'sub_busy', array['cus_busy'], '{}', 'received', now(), now(), now()
       from generate_series(1, 300) n`,
  );
  await database.pool.query('analyze tollgate.events');
});
afterAll(() => database.drop());

test('are never locked in two orders, so that nobody waits for somebody who waits for them', async () => {
  const { db } = database;
  const wake = wakeParkedTask({ db, clock: systemClock });
  const info = { attempt: 1, maxAttempts: 1, signal: new AbortController().signal };
  const job = { connectionId: 'default', ref: { type: 'subscription', id: 'sub_busy' } } as const;
  const result: SyncResult = { status: 'parked', reason: 'customer_unknown', projectId: null, customerId: null };
  const refused: string[] = [];
  for (let round = 0; round < 15; round += 1) {
    const events = await waitingEvents(db, 'default', 'sub_busy');
    const ended = await Promise.allSettled([
      settleSynced(db, { job, events, now: Date.now(), result }),
      wake({ connectionId: 'default', objectId: 'cus_busy' }, info),
      settleSynced(db, { job, events: events.toReversed(), now: Date.now(), result }),
      wake({ connectionId: 'default', objectId: 'cus_busy' }, info),
    ]);
    for (const outcome of ended) if (outcome.status === 'rejected') refused.push(String(outcome.reason));
  }
  expect(refused).toEqual([]);
});
