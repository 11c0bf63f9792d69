import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EVENT_TYPES } from '../../src/inbox/event-types.ts';
import { registerWebhookRoutes } from '../../src/inbox/webhook-routes.ts';
import { createLog } from '../../src/platform/log.ts';
import { createConnections, createStripeClient, type StripeConnection } from '../../src/stripe/connections.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type HttpService, startHttp } from '../support/http.ts';
import { type EventBody, eventAbout, sign, WEBHOOK_SECRET } from '../support/signed-events.ts';

let database: TestDatabase;
let service: HttpService;

beforeAll(async () => {
  database = await createTestDatabase({ max: 25 });
  const connection = (id: string, webhookSecrets: string[]): StripeConnection => ({
    id,
    webhookSecrets,
    client: createStripeClient({ secretKey: 'sk_test_x', apiBase: 'http://127.0.0.1:9' }),
    livemode: false,
    installation: 'test',
  });
  const connections = createConnections([
    connection('default', ['whsec_new', WEBHOOK_SECRET]),
    connection('eu', ['whsec_eu']),
  ]);
  service = await startHttp(database, {}, (app) =>
    registerWebhookRoutes(app, {
      db: database.db,
      clock: service?.clock ?? { now: Date.now },
      connections,
      log: createLog('silent'),
    }),
  );
});

afterAll(async () => {
  await service?.close();
  await database?.drop();
});

interface Sent {
  path?: string;
  body?: string | Buffer;
  signature?: string | null;
  contentType?: string;
}

async function send(
  event: EventBody,
  { path = '', body, signature, contentType = 'application/json; charset=utf-8' }: Sent = {},
) {
  const bytes = body ?? JSON.stringify(event, null, 2);
  const response = await fetch(`${service.url}/api/v1/webhooks/stripe${path}`, {
    method: 'POST',
    headers: {
      'content-type': contentType,
      ...(signature === null ? {} : { 'stripe-signature': signature ?? sign(bytes) }),
    },
    body: bytes as string,
  });
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects.
  const answer = (await response.json()) as any;
  return { status: response.status, body: answer };
}

async function stored(id: string) {
  return await database.db.selectFrom('tollgate.events').selectAll().where('id', '=', id).execute();
}

async function jobs(objectId: string) {
  const { rows } = await database.pool.query(
    'select payload, key from graphile_worker._private_jobs where key = any($1)',
    [['default', 'eu'].map((connection) => `sync_event:${connection}:${objectId}`)],
  );
  return rows;
}

describe('an event', () => {
  test('with a valid signature is stored with its job, and acknowledged', async () => {
    const event = eventAbout('customer.subscription.updated', {
      id: 'sub_stored',
      object: 'subscription',
      customer: 'cus_1',
    });
    expect(await send(event)).toEqual({ status: 200, body: { received: true } });
    expect(await stored(event.id)).toMatchObject([
      {
        connection_id: 'default',
        type: 'customer.subscription.updated',
        api_version: '2026-10-28.endive',
        livemode: false,
        object_type: 'subscription',
        object_id: 'sub_stored',
        related_ids: ['sub_stored', 'cus_1'],
        status: 'received',
        reason: null,
        attempts: 0,
        payload: event,
        processed_at: null,
      },
    ]);
    expect(await jobs('sub_stored')).toEqual([
      {
        key: 'sync_event:default:sub_stored',
        payload: {
          connectionId: 'default',
          ref: { type: 'subscription', id: 'sub_stored' },
          cause: { type: 'event', id: event.id },
        },
      },
    ]);
  });

  test('delivered 20 times at once, over 20 connections, is stored once with one job', async () => {
    const event = eventAbout('customer.subscription.updated', { id: 'sub_twenty' });
    const body = JSON.stringify(event);
    const statuses = await Promise.all(Array.from({ length: 20 }, () => postOnItsOwnConnection(body)));
    expect(statuses).toEqual(Array(20).fill(200));
    expect(await stored(event.id)).toHaveLength(1);
    expect(await jobs('sub_twenty')).toHaveLength(1);
  });

  test('that comes again later is acknowledged and changes nothing', async () => {
    const event = eventAbout('product.updated', { id: 'prod_again' });
    await send(event);
    await database.db
      .updateTable('tollgate.events')
      .set({ status: 'processed', processed_at: new Date() })
      .where('id', '=', event.id)
      .execute();
    await database.pool.query('delete from graphile_worker._private_jobs');
    expect((await send(event)).status).toBe(200);
    expect(await stored(event.id)).toMatchObject([{ status: 'processed' }]);
    expect(await jobs('prod_again')).toEqual([]);
  });

  test('of an object that others are about too shares their job', async () => {
    for (const type of ['created', 'updated', 'paused', 'resumed', 'deleted']) {
      await send(eventAbout(`customer.subscription.${type}`, { id: 'sub_burst' }));
    }
    expect(await jobs('sub_burst')).toHaveLength(1);
  });

  test('for a named connection is checked with its secrets and stored as its own', async () => {
    const event = eventAbout('customer.subscription.updated', { id: 'sub_eu' });
    const body = JSON.stringify(event);
    expect((await send(event, { path: '/eu', body })).status).toBe(400);
    expect((await send(event, { path: '/eu', body, signature: sign(body, 'whsec_eu') })).status).toBe(200);
    expect(await stored(event.id)).toMatchObject([{ connection_id: 'eu' }]);
  });

  test('for a connection that does not exist is refused', async () => {
    const answer = await send(eventAbout('product.updated', { id: 'prod_1' }), { path: '/nowhere' });
    expect([answer.status, answer.body.code]).toEqual([404, 'not_found']);
  });

  test.each([
    ['of a type that is not handled', eventAbout('tax.settings.updated', { id: 'x' }), 'ignored', 'type_not_handled'],
    [
      'of a type that looks like a member of every object',
      eventAbout('constructor', {}),
      'ignored',
      'type_not_handled',
    ],
    [
      'of the live mode at a test connection',
      eventAbout('customer.subscription.updated', { id: 'sub_1' }, { livemode: true }),
      'ignored',
      'livemode_mismatch',
    ],
    [
      'that does not say its mode',
      eventAbout('customer.subscription.updated', { id: 'sub_1' }, { livemode: null }),
      'ignored',
      'livemode_unknown',
    ],
    [
      'of another account',
      eventAbout('customer.subscription.updated', { id: 'sub_1' }, { account: 'acct_2' }),
      'ignored',
      'other_account',
    ],
    [
      'about an invoice of no subscription',
      eventAbout('invoice.paid', { id: 'in_1', parent: null }),
      'ignored',
      'invoice_without_subscription',
    ],
    [
      'about a refund of no payment intent',
      eventAbout('refund.updated', { id: 're_1', payment_intent: null }),
      'ignored',
      'refund_without_payment_intent',
    ],
    ['without its object', eventAbout('product.updated', {}, { data: null }), 'dead', 'unreadable: data.object'],
    ['about an object without an id', eventAbout('product.updated', { id: 7 }), 'dead', 'unreadable: data.object.id'],
    [
      'whose object has another shape than it should',
      eventAbout('charge.refunded', { id: 'ch_1', payment_intent: 12 }),
      'dead',
      'unreadable: data.object.payment_intent',
    ],
  ])('%s is acknowledged and kept with its reason', async (_name, event, status, reason) => {
    expect((await send(event)).status).toBe(200);
    expect(await stored(event.id)).toMatchObject([{ status, reason, object_id: null, next_attempt_at: null }]);
  });

  const session = { id: 'cs_1', payment_intent: 'pi_9', subscription: 'sub_9' };
  const invoice = {
    id: 'in_1',
    parent: { type: 'subscription_details', subscription_details: { subscription: 'sub_3' } },
  };
  test.each([
    ['checkout.session.completed', session, 'checkout_session', 'cs_1'],
    ['checkout.session.async_payment_failed', session, 'checkout_session', 'cs_1'],
    ['customer.subscription.deleted', { id: 'sub_2' }, 'subscription', 'sub_2'],
    ['invoice.paid', invoice, 'subscription', 'sub_3'],
    ['invoice.payment_failed', invoice, 'subscription', 'sub_3'],
    ['customer.discount.deleted', { subscription: 'sub_4' }, 'subscription', 'sub_4'],
    ['charge.refunded', { id: 'ch_1', payment_intent: 'pi_1' }, 'payment', 'pi_1'],
    ['refund.failed', { id: 're_1', payment_intent: { id: 'pi_2', object: 'payment_intent' } }, 'payment', 'pi_2'],
    ['charge.dispute.closed', { id: 'du_1', charge: 'ch_1', payment_intent: 'pi_3' }, 'payment', 'pi_3'],
    ['customer.deleted', { id: 'cus_5', deleted: true }, 'customer', 'cus_5'],
    ['product.deleted', { id: 'my-own-product_id' }, 'product', 'my-own-product_id'],
    ['price.updated', { id: 'price_6', product: 'prod_1' }, 'price', 'price_6'],
  ])('of type %s leads to the object that it speaks of', async (type, object, objectType, objectId) => {
    const event = eventAbout(type, object);
    await send(event);
    expect(await stored(event.id)).toMatchObject([
      { object_type: objectType, object_id: objectId, status: 'received' },
    ]);
  });
});

describe('a thin event', () => {
  const thin = (type: string, related: object | null) => ({
    id: `evt_thin_${type}`,
    object: 'v2.core.event',
    type,
    created: '2026-11-23T10:00:00.000Z',
    livemode: false,
    context: null,
    ...(related === null ? {} : { related_object: related }),
  });

  test('leads to the object that it names', async () => {
    const event = thin('v1.product.updated', { id: 'prod_thin', type: 'product', url: '/v1/products/prod_thin' });
    expect((await send(event)).status).toBe(200);
    expect(await stored(event.id)).toMatchObject([
      { object_id: 'prod_thin', status: 'received', created_at: new Date('2026-11-23T10:00:00Z') },
    ]);
  });

  test('that nobody handles is ignored', async () => {
    const event = thin('v2.core.event_destination.ping', null);
    expect((await send(event)).status).toBe(200);
    expect(await stored(event.id)).toMatchObject([{ status: 'ignored', reason: 'type_not_handled' }]);
  });

  test('that does not say which subscription its invoice is of is kept for somebody to look at', async () => {
    const event = thin('v1.invoice.paid', { id: 'in_1', type: 'invoice', url: '/v1/invoices/in_1' });
    expect((await send(event)).status).toBe(200);
    expect(await stored(event.id)).toMatchObject([
      { status: 'dead', reason: expect.stringContaining('snapshot payload') },
    ]);
  });
});

describe('a request', () => {
  test.each<[string, Sent]>([
    ['without a signature', { signature: null }],
    ['with an empty signature', { signature: '' }],
    ['signed with another secret', { signature: sign('{}', 'whsec_other') }],
    ['signed for another body', { signature: sign('{}') }],
    ['with nothing in it', { body: '', signature: sign('x') }],
  ])('%s is refused and nothing is stored', async (_name, sent) => {
    const event = eventAbout('product.updated', { id: 'prod_1' });
    const answer = await send(event, sent);
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_signature']);
    expect(await stored(event.id)).toEqual([]);
  });

  test.each([
    ['ten minutes old', -600],
    ['ten minutes ahead', 600],
  ])('signed %s is refused', async (_name, seconds) => {
    const event = eventAbout('product.updated', { id: 'prod_1' });
    const answer = await send(event, { signature: sign(JSON.stringify(event, null, 2), WEBHOOK_SECRET, seconds) });
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_signature']);
  });

  test('is taken as bytes whatever its content type and its spacing are', async () => {
    const event = eventAbout('product.updated', { id: 'prod_1', name: 'Größe ✓' });
    const body = ` ${JSON.stringify(event).replaceAll(':', ' : ')}\n`;
    expect((await send(event, { body, contentType: 'text/plain' })).status).toBe(200);
    expect(await stored(event.id)).toMatchObject([{ payload: event }]);
  });

  test('that is signed and holds what PostgreSQL cannot is stored without it', async () => {
    const event = eventAbout('product.updated', {
      id: 'prod_1',
      name: 'nul \0 and half \ud83d',
      client_secret: 'pi_1_secret',
    });
    expect((await send(event)).status).toBe(200);
    expect(await stored(event.id)).toMatchObject([
      { payload: { data: { object: { name: 'nul \ufffd and half \ufffd', client_secret: '[redacted]' } } } },
    ]);
  });

  test('larger than a mebibyte is refused, and one just below is not', async () => {
    const event = (bytes: number) => eventAbout('product.updated', { id: 'prod_1', description: 'x'.repeat(bytes) });
    const answer = await send(event(1024 * 1024));
    expect([answer.status, answer.body.code]).toEqual([413, 'payload_too_large']);
    expect((await send(event(1024 * 1024 - 1_000))).status).toBe(200);
  });

  test('with another method is told which one there is', async () => {
    const answer = await service.as(null).get('/webhooks/stripe');
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST']);
  });
});

test('the operators’ guide lists the types that are acted upon', async () => {
  const guide = await readFile(path.resolve(import.meta.dirname, '../../../../docs/webhooks.md'), 'utf8');
  const listed = /### Event types\n\n```\n([^`]*)\n```/.exec(guide)?.[1]?.split('\n');
  expect(listed).toEqual(Object.keys(EVENT_TYPES));
});

test('the two paths are in the OpenAPI document', async () => {
  const { paths } = (await (await fetch(`${service.url}/openapi.json`)).json()) as { paths: object };
  expect(Object.keys(paths)).toEqual(
    expect.arrayContaining(['/api/v1/webhooks/stripe', '/api/v1/webhooks/stripe/{connection}']),
  );
});

describe('an event that cannot be stored', () => {
  test('is answered with 5xx, so that Stripe sends it again; then it is stored', async () => {
    const event = eventAbout('product.updated', { id: 'prod_1' });
    await database.pool.query('alter table tollgate.events rename to events_elsewhere');
    const refused = await send(event);
    await database.pool.query('alter table tollgate.events_elsewhere rename to events');
    expect([refused.status, refused.body.code]).toEqual([500, 'internal']);
    expect((await send(event)).status).toBe(200);
    expect(await stored(event.id)).toHaveLength(1);
  });

  test('is not stored without its job either', async () => {
    const event = eventAbout('product.updated', { id: 'prod_no_job' });
    await database.pool.query('alter function graphile_worker.add_job rename to add_job_elsewhere');
    const refused = await send(event);
    await database.pool.query('alter function graphile_worker.add_job_elsewhere rename to add_job');
    expect(refused.status).toBe(500);
    expect(await stored(event.id)).toEqual([]);
  });
});

function postOnItsOwnConnection(body: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      `${service.url}/api/v1/webhooks/stripe`,
      { method: 'POST', agent: false, headers: { 'content-type': 'application/json', 'stripe-signature': sign(body) } },
      (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode ?? 0));
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
