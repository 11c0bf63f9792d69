/** Why something differs and since when, and what it costs to find out in an inbox that has kept the events of months. */
import { Kysely, PostgresDialect } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { originOf } from '../../src/reconciliation/cause.ts';
import type { Look } from '../../src/reconciliation/kind.ts';
import { UndeliveredEvents } from '../../src/reconciliation/undelivered-events.ts';
import type { Schema } from '../../src/schema.ts';
import { createStripeClient } from '../../src/stripe/connections.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const EVENTS = 20_000;

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase({ max: 2 });
  await database.pool.query(
    `insert into tollgate.events (connection_id, id, type, livemode, object_type, object_id, related_ids, payload, status,
                                  created_at, received_at, source)
     select 'default', 'evt_' || n, about.type, false, about.object_type, about.object_id, about.related_ids, '{}',
            case when n % 2000 = 0 then 'dead' else 'processed' end,
            now() - n * interval '5 minutes', now() - n * interval '5 minutes', 'webhook'
       from generate_series(1, ${EVENTS}) n,
            lateral (values ('invoice.paid', 'subscription', 'sub_' || n / 20, array['in_' || n, 'sub_' || n / 20]),
                            ('checkout.session.completed', 'checkout_session', 'cs_' || n, array['cs_' || n, 'pi_' || n])
                    ) about (type, object_type, object_id, related_ids)
      where (about.object_type = 'subscription') = (n % 2 = 0)`,
  );
  await database.pool.query('vacuum analyze tollgate.events');
});
afterAll(() => database.drop());

const nothingLost = Object.assign(new UndeliveredEvents([]), {
  search: async () => ({ about: () => null, complete: true }),
});

function lookWith(db: Kysely<Schema>): Look {
  const client = createStripeClient({ secretKey: 'sk_test_of_the_tests', apiBase: null });
  const connection = { id: 'default', client, webhookSecrets: [], livemode: false, installation: 'tests' };
  return { db, connection, scope: { projectId: null, customerId: null }, ask: (_endpoint, call) => call() };
}

/** How many rows a plan has read, those among them that it did not take. */
function rowsRead(plan: Record<string, unknown>): number {
  const parts = (plan.Plans ?? []) as Record<string, unknown>[];
  const own = parts.length === 0 ? Number(plan['Actual Rows']) : 0;
  const refused = Number(plan['Rows Removed by Filter'] ?? 0) + Number(plan['Rows Removed by Index Recheck'] ?? 0);
  return own + refused + parts.reduce((sum, part) => sum + rowsRead(part), 0);
}

test.each([
  ['a purchase', { objectType: 'purchase', objectId: 'pi_9001', toldTo: 'cs_9001' }, 'event_processed'],
  ['an invoice', { objectType: 'invoice', objectId: 'in_9002', toldTo: 'sub_450' }, 'event_processed'],
  ['a purchase that cannot be read', { objectType: 'purchase', objectId: 'pi_9001', toldTo: null }, 'unknown'],
  [
    'an invoice whose event failed and that cannot be read',
    { objectType: 'invoice', objectId: 'in_10000', toldTo: null },
    'event_failed',
  ],
] as const)('why %s differs is found without going through the whole inbox', async (_what, about, cause) => {
  const asked: { sql: string; parameters: readonly unknown[] }[] = [];
  const db = new Kysely<Schema>({
    dialect: new PostgresDialect({ pool: database.pool }),
    log: ({ query }) => {
      asked.push(query);
    },
  });
  const origin = await originOf(lookWith(db), nothingLost, { ...about, since: null, changedAt: null });
  expect(origin.cause).toBe(cause);

  const read: number[] = [];
  for (const { sql, parameters } of asked) {
    const { rows } = await database.pool.query(`explain (analyze, format json) ${sql}`, [...parameters]);
    read.push(rowsRead(rows[0]['QUERY PLAN'][0].Plan));
  }
  expect(read.length).toBeGreaterThan(0);
  expect(Math.max(...read)).toBeLessThan(EVENTS / 100);
});

test('of what no event tells, the object itself says since when it differs', async () => {
  const about = { objectType: 'subscription', objectId: 'sub_of_nobody', since: null, toldTo: null };
  const changedAt = new Date('2026-03-01T00:00:00Z');
  const origin = await originOf(lookWith(database.db), nothingLost, { ...about, changedAt });
  expect(origin).toEqual({ cause: 'no_event', aroseAt: changedAt });
});
