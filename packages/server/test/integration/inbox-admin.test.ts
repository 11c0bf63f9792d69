/** The inbox as operators see it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SyncRequest, SyncResult } from '../../src/mirror/types.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type InboxService, startInboxService } from '../support/inbox-service.ts';
import { deliver, eventAbout } from '../support/signed-events.ts';
import { until } from '../support/until.ts';

const NOTHING: Omit<SyncResult, 'status' | 'reason'> = { projectId: null, customerId: null };

let database: TestDatabase;
let inbox: InboxService;
const asked: SyncRequest[] = [];
const answers = new Map<string, SyncResult>();

beforeAll(async () => {
  database = await createTestDatabase();
  inbox = await startInboxService({
    databaseUrl: database.url,
    stripeUrl: 'http://127.0.0.1:9',
    syncObject: async (request) => {
      asked.push(request);
      return answers.get(request.ref.id) ?? { status: 'applied', reason: null, ...NOTHING };
    },
  });
});

afterAll(async () => {
  await inbox?.close();
  await database?.drop();
});

async function received(type: string, object: Record<string, unknown>, status: string, members: object = {}) {
  const event = eventAbout(type, object, members);
  await deliver(inbox.url, event);
  await until(async () => (await inbox.admin.get(`/admin/events/${event.id}`)).body.status === status);
  return event;
}

describe('an event', () => {
  test('is shown with its payload and what became of it', async () => {
    const object = { id: 'sub_shown', object: 'subscription', client_secret: 'seti_1_secret_2' };
    const event = await received('customer.subscription.updated', object, 'processed');
    const answer = await inbox.admin.get(`/admin/events/${event.id}`);
    expect(answer.status).toBe(200);
    const { received_at, processed_at, last_attempt_at, ...shown } = answer.body;
    expect(shown).toEqual({
      object: 'event',
      id: event.id,
      type: 'customer.subscription.updated',
      status: 'processed',
      reason: null,
      attempts: 1,
      connection: 'default',
      livemode: false,
      api_version: '2026-10-28.endive',
      object_type: 'subscription',
      object_id: 'sub_shown',
      created_at: new Date((event.created as number) * 1000).toISOString(),
      next_attempt_at: null,
      source: 'webhook',
      payload: { ...event, data: { object: { ...object, client_secret: '[redacted]' } } },
    });
    expect(Date.parse(received_at)).toBeLessThanOrEqual(Date.parse(processed_at));
    expect(last_attempt_at).toBe(processed_at);
  });

  test('that never came is not found', async () => {
    const answer = await inbox.admin.get('/admin/events/evt_nobody');
    expect([answer.status, answer.body.code]).toEqual([404, 'not_found']);
    const replay = await inbox.admin.post('/admin/events/evt_nobody/replay');
    expect([replay.status, replay.body.code]).toEqual([404, 'not_found']);
  });

  test('that two connections have received is asked for with its connection', async () => {
    const event = await received('customer.subscription.updated', { id: 'sub_twice' }, 'processed');
    const { payload, ...row } = await database.db
      .selectFrom('tollgate.events')
      .selectAll()
      .where('id', '=', event.id)
      .executeTakeFirstOrThrow();
    await database.db
      .insertInto('tollgate.events')
      .values({ ...row, connection_id: 'gone', payload: JSON.stringify(payload) })
      .execute();
    expect((await inbox.admin.get(`/admin/events/${event.id}`)).status).toBe(400);
    expect((await inbox.admin.get(`/admin/events/${event.id}?connection=gone`)).body.connection).toBe('gone');
    const replay = await inbox.admin.post(`/admin/events/${event.id}/replay`, { connection: 'gone' });
    expect([replay.status, replay.body.code]).toEqual([409, 'conflict']);
  });
});

describe('the list', () => {
  test('is filtered by status, type and object, last received first, without payloads', async () => {
    const ignored = await received('some.type', {}, 'ignored');
    const other = await received('some.type', {}, 'ignored');
    const product = await received('product.updated', { id: 'prod_listed' }, 'processed');
    const list = async (query: string) =>
      (await inbox.admin.get(`/admin/events?${query}`)).body.data.map(({ id }: { id: string }) => id);
    expect(await list('type=some.type')).toEqual([other.id, ignored.id]);
    expect(await list('type=some.type&status=processed')).toEqual([]);
    expect(await list('status=processed&object_id=prod_listed')).toEqual([product.id]);
    expect(await list('object_id=prod_listed&connection=other')).toEqual([]);
    const { body } = await inbox.admin.get('/admin/events?limit=1');
    expect(body.data[0]).toMatchObject({ object: 'event', id: product.id });
    expect(body.data[0]).not.toHaveProperty('payload');
  });

  test('is paged without leaving out or repeating any, though many were received in one millisecond', async () => {
    const at = new Date();
    const ids = Array.from({ length: 23 }, (_, n) => `evt_paged_${String(n).padStart(2, '0')}`);
    await database.db
      .insertInto('tollgate.events')
      .values(
        ids.map((id, n) => ({
          connection_id: 'default',
          id,
          type: 'paged',
          api_version: null,
          livemode: false,
          object_type: null,
          object_id: null,
          payload: '{}',
          status: 'ignored' as const,
          reason: null,
          created_at: at,
          received_at: new Date(at.getTime() + Math.floor(n / 10)),
          processed_at: null,
          last_attempt_at: null,
          next_attempt_at: null,
        })),
      )
      .execute();
    const seen: string[] = [];
    let query = '/admin/events?type=paged&limit=5';
    for (let pages = 0; pages < 10; pages++) {
      const { body } = await inbox.admin.get(query);
      seen.push(...body.data.map(({ id }: { id: string }) => id));
      if (!body.has_more) break;
      query = `/admin/events?type=paged&limit=5&cursor=${body.next_cursor}`;
    }
    expect(seen).toEqual([...ids].reverse());
  });

  test.each(['cursor=rubbish', 'cursor=WzEsMl0', 'status=lost', 'limit=0', 'whatever=1'])(
    'refuses %s',
    async (query) => {
      const answer = await inbox.admin.get(`/admin/events?${query}`);
      expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request']);
    },
  );
});

describe('a replay', () => {
  const parked: SyncResult = { status: 'parked', reason: 'customer_unknown', ...NOTHING };
  const ignored: SyncResult = { status: 'ignored', reason: 'other_installation', ...NOTHING };

  test.each([
    ['processed', undefined],
    ['parked', parked],
    ['ignored', ignored],
  ])('of an event that is %s syncs its object again', async (status, first) => {
    const id = `sub_replay_${status}`;
    if (first !== undefined) answers.set(id, first);
    const event = await received('customer.subscription.updated', { id }, status);
    answers.delete(id);
    const before = asked.length;
    const answer = await inbox.admin.post(`/admin/events/${event.id}/replay`);
    expect([answer.status, answer.body.object, answer.body.status, answer.body.attempts]).toEqual([
      202,
      'event',
      'received',
      0,
    ]);
    await until(async () => (await inbox.admin.get(`/admin/events/${event.id}`)).body.status === 'processed');
    expect(asked.slice(before)).toEqual([
      { connectionId: 'default', ref: { type: 'subscription', id }, cause: { type: 'event', id: event.id } },
    ]);
  });

  test.each(['received', 'failed', 'dead'])('of an event that is %s syncs its object at once', async (status) => {
    const event = await received('customer.subscription.updated', { id: `sub_now_${status}` }, 'processed');
    await database.pool.query(
      "update tollgate.events set status = $1, reason = 'was so', next_attempt_at = now() + interval '1 day' where id = $2",
      [status, event.id],
    );
    expect((await inbox.admin.post(`/admin/events/${event.id}/replay`)).status).toBe(202);
    await until(async () => (await inbox.admin.get(`/admin/events/${event.id}`)).body.status === 'processed');
  });

  test('of an event that nobody handles leaves it ignored', async () => {
    const event = await received('some.other.type', {}, 'ignored');
    const answer = await inbox.admin.post(`/admin/events/${event.id}/replay`, {});
    expect([answer.status, answer.body.status, answer.body.reason]).toEqual([202, 'ignored', 'type_not_handled']);
  });

  test('does not let in what is not of this connection', async () => {
    const event = await received('customer.subscription.updated', { id: 'sub_live' }, 'ignored', { livemode: true });
    const answer = await inbox.admin.post(`/admin/events/${event.id}/replay`);
    expect([answer.body.status, answer.body.reason]).toEqual(['ignored', 'livemode_mismatch']);
  });

  test('judges an event by what this version knows', async () => {
    const event = await received('customer.subscription.updated', { id: 'sub_learnt' }, 'processed');
    await database.pool.query(
      "update tollgate.events set status = 'ignored', reason = 'type_not_handled', object_id = null where id = $1",
      [event.id],
    );
    const answer = await inbox.admin.post(`/admin/events/${event.id}/replay`);
    expect([answer.body.status, answer.body.object_id]).toEqual(['received', 'sub_learnt']);
  });

  test('is in the audit trail', async () => {
    const event = await received('customer.subscription.updated', { id: 'sub_audited' }, 'processed');
    await inbox.admin.post(`/admin/events/${event.id}/replay`, { actor: 'ana', reason: 'Looked odd' });
    const { body } = await inbox.admin.get('/admin/audit?action=event.replayed&actor=ana');
    expect(body.data).toMatchObject([
      {
        actor: 'ana',
        reason: 'Looked odd',
        detail: { event: event.id, connection: 'default', type: 'customer.subscription.updated', was: 'processed' },
      },
    ]);
  });

  test('that is repeated with the same idempotency key happens once', async () => {
    const event = await received('customer.subscription.updated', { id: 'sub_once' }, 'processed');
    const headers = { 'idempotency-key': 'once' };
    const send = () => inbox.admin.post(`/admin/events/${event.id}/replay`, { actor: 'once' }, headers);
    const [first, second] = [await send(), await send()];
    expect([first.status, second.status, second.headers.get('idempotent-replayed')]).toEqual([202, 202, 'true']);
    expect((await inbox.admin.get('/admin/audit?actor=once')).body.data).toHaveLength(1);
  });
});

test('only an operator may look', async () => {
  const made = await inbox.admin.post('/admin/projects', { name: 'P', slug: 'p' });
  for (const [key, status] of [
    [null, 401],
    ['tg_admin_wrong', 401],
    [made.body.secret_key, 403],
    [made.body.publishable_key, 403],
  ] as const) {
    const client = inbox.as(key);
    const statuses = [
      (await client.get('/admin/events')).status,
      (await client.get('/admin/events/evt_1')).status,
      (await client.post('/admin/events/evt_1/replay')).status,
    ];
    expect(statuses).toEqual([status, status, status]);
  }
});
