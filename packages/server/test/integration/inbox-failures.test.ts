/** What the jobs do when a sync fails, with a stand-in for the mirror that fails as the test says. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SyncRequest, SyncResult } from '../../src/mirror/types.ts';
import { TollgateError } from '../../src/platform/errors.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type InboxService, type InboxServiceOptions, startInboxService } from '../support/inbox-service.ts';
import { deliver, eventAbout } from '../support/signed-events.ts';
import { until } from '../support/until.ts';

const APPLIED: SyncResult = { status: 'applied', reason: null, projectId: null, customerId: null };

let database: TestDatabase;
let inbox: InboxService | undefined;
let asked: SyncRequest[];

beforeEach(async () => {
  database = await createTestDatabase();
  asked = [];
});

afterEach(async () => {
  await inbox?.close();
  await database.drop();
});

async function start(
  answer: (request: SyncRequest, times: number) => SyncResult | Promise<SyncResult>,
  options: Partial<InboxServiceOptions> = {},
): Promise<InboxService> {
  inbox = await startInboxService({
    databaseUrl: database.url,
    stripeUrl: 'http://127.0.0.1:9',
    syncObject: async (request) => {
      asked.push(request);
      return await answer(request, asked.filter(({ ref }) => ref.id === request.ref.id).length);
    },
    ...options,
  });
  return inbox;
}

async function row(id: string) {
  return await database.db.selectFrom('tollgate.events').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
}

async function become(id: string, status: string) {
  await until(async () => (await row(id)).status === status, 10_000, `${id} becomes ${status}`);
  return await row(id);
}

async function jobs() {
  const { rows } = await database.pool.query<{ key: string; later: boolean }>(
    "select key, run_at > now() + interval '5 seconds' as later from graphile_worker._private_jobs where locked_at is null",
  );
  return rows;
}

const about = (id: string) => eventAbout('customer.subscription.updated', { id });

describe('a failure', () => {
  test('that nobody foresaw is tried again, and its text stays in the log', async () => {
    const { url } = await start((_request, times) => {
      if (times < 3) throw new TypeError('select * from secrets');
      return APPLIED;
    });
    const event = about('sub_1');
    await deliver(url, event);
    expect((await become(event.id, 'failed')).reason).toBe('internal: an unforeseen error, see the log');
    expect(await become(event.id, 'processed')).toMatchObject({ attempts: 3, reason: null });
  });

  test('that goes on to the last attempt leaves a dead letter', async () => {
    const { url } = await start(
      () => {
        throw new TollgateError('stripe_unavailable', 'Stripe is away');
      },
      { retry: { baseMs: 10, capMs: 20, maxAttempts: 3 } },
    );
    const event = about('sub_1');
    await deliver(url, event);
    expect(await become(event.id, 'dead')).toMatchObject({
      attempts: 3,
      reason: 'gave up after 3 attempts: stripe_unavailable: Stripe is away',
      next_attempt_at: null,
    });
    // One that found the object under way looks again a second later, and finds nobody who waits.
    await until(async () => (await jobs()).length === 0, 10_000, 'no job is left');
    expect(asked).toHaveLength(3);
  });

  test('of one object is not used up by a burst of events about it', async () => {
    let away = true;
    const { url } = await start(
      () => {
        if (away) throw new TollgateError('stripe_unavailable', 'Stripe is away');
        return APPLIED;
      },
      { retry: { baseMs: 60_000, capMs: 60_000, maxAttempts: 3 } },
    );
    const first = about('sub_1');
    await deliver(url, first);
    await become(first.id, 'failed');
    for (let n = 0; n < 5; n++) {
      const another = about('sub_1');
      await deliver(url, another);
      expect((await become(another.id, 'failed')).attempts).toBe(1);
    }
    expect(await row(first.id)).toMatchObject({ status: 'failed', attempts: 1 });
    away = false;
    await deliver(url, about('sub_1'));
    await become(first.id, 'processed');
  });

  test('of the database is left to the job, and costs the event nothing', async () => {
    const { url } = await start((_request, times) => {
      if (times === 1) throw Object.assign(new Error('deadlock detected'), { code: '40P01' });
      return APPLIED;
    });
    const event = about('sub_1');
    await deliver(url, event);
    expect(await become(event.id, 'processed')).toMatchObject({ attempts: 1 });
    expect(asked).toHaveLength(2);
  });

  test('that only a change can mend is a dead letter at once', async () => {
    const { url } = await start(() => {
      throw new TollgateError('stripe_shape_unexpected', 'items.data.0.price is not an object');
    });
    const event = about('sub_1');
    await deliver(url, event);
    expect(await become(event.id, 'dead')).toMatchObject({
      attempts: 1,
      reason: 'stripe_shape_unexpected: items.data.0.price is not an object',
    });
  });

  test('of a sync that no event asked for is left to its job', async () => {
    await start((_request, times) => {
      if (times === 1) throw new TollgateError('stripe_unavailable', 'Stripe is away');
      return APPLIED;
    });
    await database.pool.query("select graphile_worker.add_job('sync_object', $1)", [
      { connectionId: 'default', ref: { type: 'product', id: 'prod_1' } },
    ]);
    await until(() => asked.length === 2, 10_000);
    expect(asked[1]?.cause).toEqual({ type: 'catalog', id: 'prod_1' });
  });

  test('of a sync that no event asked for is left to its job, also while an event about its object is parked', async () => {
    const { url } = await start((_request, times) => {
      if (times === 1) return { ...APPLIED, status: 'parked', reason: 'unknown_customer' };
      if (times === 2) throw new TollgateError('stripe_unavailable', 'Stripe is away');
      return APPLIED;
    });
    const event = about('sub_1');
    await deliver(url, event);
    await become(event.id, 'parked');
    await database.pool.query("select graphile_worker.add_job('sync_object', $1)", [
      { connectionId: 'default', ref: { type: 'subscription', id: 'sub_1' } },
    ]);
    await become(event.id, 'processed');
    expect(asked).toHaveLength(3);
  });
});

test('while Stripe asks for patience, nothing else is fetched over the connection', async () => {
  const { errors } = (await import('stripe')).default;
  const { url } = await start(({ ref }) => {
    if (ref.id === 'sub_1') {
      throw new errors.StripeRateLimitError({
        message: 'Too many requests',
        type: 'rate_limit_error',
        statusCode: 429,
        headers: { 'retry-after': '600' },
      });
    }
    return APPLIED;
  });
  const [first, second] = [about('sub_1'), about('sub_2')];
  await deliver(url, first);
  await become(first.id, 'failed');
  await deliver(url, second);
  await until(async () => (await jobs()).filter(({ later }) => later).length === 2);
  expect(asked.map(({ ref }) => ref.id)).toEqual(['sub_1']);
  expect(await row(second.id)).toMatchObject({ status: 'received', attempts: 0 });
});

test('an outcome is written down as what it is', async () => {
  const outcomes: Record<string, SyncResult> = {
    sub_applied: APPLIED,
    sub_unchanged: { ...APPLIED, status: 'unchanged' },
    sub_stale: { ...APPLIED, status: 'stale' },
    sub_ignored: { ...APPLIED, status: 'ignored', reason: 'other_installation' },
    sub_parked: { ...APPLIED, status: 'parked', reason: 'customer_unknown' },
  };
  const { url } = await start(({ ref }) => outcomes[ref.id] ?? APPLIED);
  const seen: Record<string, unknown> = {};
  for (const id of Object.keys(outcomes)) {
    const event = about(id);
    await deliver(url, event);
    await until(async () => (await row(event.id)).status !== 'received');
    const { status, reason } = await row(event.id);
    seen[id] = [status, reason];
  }
  expect(seen).toEqual({
    sub_applied: ['processed', null],
    sub_unchanged: ['processed', null],
    sub_stale: ['processed', 'stale'],
    sub_ignored: ['ignored', 'other_installation'],
    sub_parked: ['parked', 'customer_unknown'],
  });
});
