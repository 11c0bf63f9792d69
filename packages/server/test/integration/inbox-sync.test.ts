/** From an acknowledged event to a customer's access, through the real jobs, the real mirror and a scripted Stripe. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type InboxService, startInboxService } from '../support/inbox-service.ts';
import { customer, item, price, START, subscription } from '../support/mirror-objects.ts';
import { type MirrorWorld, startMirrorWorld } from '../support/mirror-world.ts';
import { deliver, eventAbout } from '../support/signed-events.ts';
import { until } from '../support/until.ts';

let world: MirrorWorld;
let inbox: InboxService;
let projectId: string;
let made = 0;

beforeAll(async () => {
  world = await startMirrorWorld();
  projectId = await world.addProject('pro');
  inbox = await startInboxService({
    databaseUrl: world.database.url,
    stripeUrl: world.stripe.url,
    stripeTimeoutMs: 15_000,
  });
});

afterAll(async () => {
  await inbox?.close();
  await world?.close();
});

/** A customer of the project with a subscription that Stripe knows and Tollgate does not. */
async function newSubscription({ known = true } = {}) {
  made += 1;
  const [id, customerId, stripeCustomerId] = [`sub_${made}`, `u_${made}`, `cus_${made}`];
  if (known) await world.addCustomer(projectId, customerId, stripeCustomerId);
  world.stripe.put(customer(stripeCustomerId));
  const put = (fields: object = {}) =>
    world.stripe.put(subscription(id, stripeCustomerId, [item(`si_${made}`, price('price_pro', 'prod_pro'))], fields));
  put();
  return {
    id,
    customerId,
    stripeCustomerId,
    put,
    about: (type: string) => eventAbout(`customer.subscription.${type}`, { id, customer: stripeCustomerId }),
    access: () => world.access(projectId, customerId),
    fetches: () => world.stripe.requests.filter((request) => request.startsWith(`GET subscriptions/${id}`)).length,
  };
}

const CANCELED = { status: 'canceled', canceled_at: START + 60, ended_at: START + 60 };

async function row(id: string) {
  return await inbox.db.selectFrom('tollgate.events').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
}

async function become(id: string, status: string, timeoutMs = 10_000) {
  await until(async () => (await row(id)).status === status, timeoutMs, `${id} becomes ${status}`);
  return await row(id);
}

describe('an event of a subscription', () => {
  test('gives its customer what was bought', async () => {
    const bought = await newSubscription();
    const event = bought.about('created');
    expect(await deliver(inbox.url, event)).toBe(200);
    expect(await become(event.id, 'processed')).toMatchObject({ attempts: 1, reason: null, next_attempt_at: null });
    expect(await bought.access()).toEqual({ entitled: true, reason: 'subscription_active' });
  });

  test('is named as the cause of what followed', async () => {
    const bought = await newSubscription();
    const event = bought.about('created');
    await deliver(inbox.url, event);
    await become(event.id, 'processed');
    const versions = await inbox.db
      .selectFrom('tollgate.fact_versions')
      .select('cause')
      .where('object_id', '=', bought.id)
      .execute();
    expect(versions).toEqual([{ cause: { type: 'event', id: event.id } }]);
  });

  const STATES = [
    { type: 'created', fields: { status: 'incomplete' } },
    { type: 'updated', fields: { status: 'active' } },
    { type: 'deleted', fields: CANCELED },
  ];
  const ORDERS = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ];

  test.each(ORDERS)('arrives in the order %i %i %i and the end is the same', async (...order) => {
    const bought = await newSubscription();
    let reached = 0;
    const ids: string[] = [];
    for (const step of order) {
      reached = Math.max(reached, step);
      bought.put(STATES[reached]?.fields);
      const event = bought.about(STATES[step]?.type ?? '');
      ids.push(event.id);
      expect(await deliver(inbox.url, event)).toBe(200);
    }
    for (const id of ids) await become(id, 'processed');
    expect(await world.fact(bought.id)).toMatchObject({ status: 'canceled' });
    expect(await bought.access()).toMatchObject({ entitled: false });
  });

  test.each(ORDERS)('arrives with the two others at once, sent %i %i %i, and the end is the same', async (...order) => {
    const bought = await newSubscription();
    bought.put({ status: 'active' });
    const events = order.map((step) => bought.about(STATES[step]?.type ?? ''));
    const delivered = Promise.all(events.map((event) => deliver(inbox.url, event)));
    bought.put(CANCELED);
    expect(await delivered).toEqual([200, 200, 200]);
    const last = bought.about('updated');
    await deliver(inbox.url, last);
    for (const { id } of [...events, last]) await become(id, 'processed');
    expect(await world.fact(bought.id)).toMatchObject({ status: 'canceled' });
  });

  test('that comes while an older state is being fetched is not swallowed by that fetch', async () => {
    const bought = await newSubscription();
    const held = world.stripe.holdNext(`subscriptions/${bought.id}`);
    const first = bought.about('created');
    await deliver(inbox.url, first);
    await held.arrived;
    bought.put(CANCELED);
    const second = bought.about('deleted');
    await deliver(inbox.url, second);
    held.release();
    await become(first.id, 'processed');
    await become(second.id, 'processed');
    expect(await world.fact(bought.id)).toMatchObject({ status: 'canceled' });
  });

  test('that comes in a burst of ten costs two fetches', async () => {
    const bought = await newSubscription();
    const held = world.stripe.holdNext(`subscriptions/${bought.id}`);
    const events = Array.from({ length: 10 }, () => bought.about('updated'));
    const [first, ...others] = events;
    await deliver(inbox.url, first ?? bought.about('updated'));
    await held.arrived;
    await Promise.all(others.map((event) => deliver(inbox.url, event)));
    await until(async () => (await jobsUnderWay()) === 1);
    held.release();
    for (const { id } of events) await become(id, 'processed');
    expect(bought.fetches()).toBe(2);
  });
});

async function jobsUnderWay(): Promise<number> {
  const { rows } = await world.database.pool.query(
    'select 1 from graphile_worker._private_jobs where locked_at is not null',
  );
  return rows.length;
}

describe('where Stripe', () => {
  const refusal = (type: string, message: string) => ({ error: { type, message } });

  test('asks for patience, the event waits as long as it asks and is then processed', async () => {
    const bought = await newSubscription();
    const body = refusal('rate_limit_error', 'Too many requests');
    world.stripe.answerNext(`subscriptions/${bought.id}`, {
      status: 429,
      body,
      headers: { 'retry-after': '1', 'stripe-should-retry': 'false' },
    });
    const event = bought.about('created');
    await deliver(inbox.url, event);
    const failed = await become(event.id, 'failed');
    expect(failed).toMatchObject({ attempts: 1, reason: 'stripe_unavailable: Too many requests', processed_at: null });
    const waitMs = Number(failed.next_attempt_at) - Number(failed.last_attempt_at);
    expect(waitMs).toBeGreaterThanOrEqual(990);
    expect(await become(event.id, 'processed')).toMatchObject({ attempts: 2, reason: null, next_attempt_at: null });
    expect(await bought.access()).toMatchObject({ entitled: true });
  });

  test.each([500, 502, 503, 409])(
    'answers %i for a while, the event is tried until it is processed',
    async (status) => {
      const bought = await newSubscription();
      const body = refusal('api_error', 'Something is wrong at Stripe');
      const headers = { 'stripe-should-retry': 'false' };
      for (let n = 0; n < 3; n++) world.stripe.answerNext(`subscriptions/${bought.id}`, { status, body, headers });
      const event = bought.about('created');
      await deliver(inbox.url, event);
      expect(await become(event.id, 'processed')).toMatchObject({ attempts: 4 });
      expect(await bought.access()).toMatchObject({ entitled: true });
    },
  );

  test('refuses for good, the event is a dead letter with the reason, and a replay heals it', async () => {
    const bought = await newSubscription();
    const body = refusal('invalid_request_error', 'This key rk_live_abcdefgh may not read subscriptions');
    world.stripe.answerNext(`subscriptions/${bought.id}`, { status: 403, body });
    const event = bought.about('created');
    await deliver(inbox.url, event);
    expect(await become(event.id, 'dead')).toMatchObject({
      attempts: 1,
      reason: 'stripe_refused: This key rk_live_[redacted] may not read subscriptions',
      next_attempt_at: null,
    });
    const replayed = await inbox.admin.post(`/admin/events/${event.id}/replay`);
    expect([replayed.status, replayed.body.status, replayed.body.id]).toEqual([202, 'received', event.id]);
    await become(event.id, 'processed');
    expect(await bought.access()).toMatchObject({ entitled: true });
  });

  test('answers what cannot be understood, the event is a dead letter; the next event about the object heals it too', async () => {
    const bought = await newSubscription();
    world.stripe.answerNext(`subscriptions/${bought.id}`, {
      status: 200,
      body: { id: bought.id, object: 'subscription' },
    });
    const event = bought.about('created');
    await deliver(inbox.url, event);
    expect((await become(event.id, 'dead')).reason).toMatch(/^stripe_shape_unexpected: /);
    await deliver(inbox.url, bought.about('updated'));
    await become(event.id, 'processed');
  });

  test('has no such object any more, what it gave ends', async () => {
    const bought = await newSubscription();
    await deliver(inbox.url, bought.about('created'));
    await until(async () => (await bought.access()).entitled);
    world.stripe.remove(bought.id);
    const event = bought.about('deleted');
    await deliver(inbox.url, event);
    await become(event.id, 'processed');
    expect(await world.fact(bought.id)).toMatchObject({ status: 'canceled' });
  });
});

describe('an event of a customer that nobody knows yet', () => {
  test('is parked, and processed once the customer is known', async () => {
    const bought = await newSubscription({ known: false });
    const event = bought.about('created');
    await deliver(inbox.url, event);
    const parked = await become(event.id, 'parked');
    expect(parked).toMatchObject({ attempts: 1, processed_at: null, reason: expect.stringMatching(/^[a-z_]+$/) });
    expect(Number(parked.next_attempt_at)).toBeGreaterThan(Date.now());
    await world.addCustomer(projectId, bought.customerId, bought.stripeCustomerId);
    await inbox.wake({ connectionId: 'default', objectId: bought.stripeCustomerId });
    await become(event.id, 'processed');
    expect(await bought.access()).toMatchObject({ entitled: true });
  });

  test('is not forgotten when the customer appears while it is being looked at', async () => {
    const bought = await newSubscription({ known: false });
    const held = world.stripe.holdNext(`subscriptions/${bought.id}`);
    const event = bought.about('created');
    await deliver(inbox.url, event);
    await held.arrived;
    await world.addCustomer(projectId, bought.customerId, bought.stripeCustomerId);
    await inbox.wake({ connectionId: 'default', objectId: bought.stripeCustomerId });
    held.release();
    await become(event.id, 'processed');
    expect(await bought.access()).toMatchObject({ entitled: true });
  });

  test('is tried again by itself in the long run', async () => {
    const bought = await newSubscription({ known: false });
    const event = bought.about('created');
    await deliver(inbox.url, event);
    await become(event.id, 'parked');
    await world.addCustomer(projectId, bought.customerId, bought.stripeCustomerId);
    await letTimePass(event.id);
    await inbox.wake({});
    await become(event.id, 'processed');
  });

  test('stays parked as long as it takes', async () => {
    const bought = await newSubscription({ known: false });
    const event = bought.about('created');
    await deliver(inbox.url, event);
    await become(event.id, 'parked');
    const waits: number[] = [];
    for (let attempts = 2; attempts <= 8; attempts++) {
      await letTimePass(event.id);
      await inbox.wake({});
      await until(async () => (await row(event.id)).attempts === attempts);
      const parked = await row(event.id);
      expect(parked.status).toBe('parked');
      waits.push(Number(parked.next_attempt_at) - Number(parked.last_attempt_at));
    }
    const day = 24 * 60 * 60 * 1000;
    expect(Math.max(...waits)).toBeLessThanOrEqual(day + 1_000);
    expect(waits.at(-1)).toBeGreaterThan(waits[0] ?? 0);
  });
});

test('an event that has lost its job is found by the next look for overdue ones', async () => {
  const bought = await newSubscription();
  const event = bought.about('created');
  await deliver(inbox.url, event);
  const { payload, ...processed } = await become(event.id, 'processed');
  bought.put(CANCELED);
  await inbox.db
    .insertInto('tollgate.events')
    .values({ ...processed, id: `${event.id}_alone`, payload: JSON.stringify(payload), status: 'received' })
    .execute();
  await letTimePass(`${event.id}_alone`);
  await inbox.wake({});
  await become(`${event.id}_alone`, 'processed');
  expect(await world.fact(bought.id)).toMatchObject({ status: 'canceled' });
});

/** As if its next attempt had been due an hour ago. */
async function letTimePass(id: string) {
  await world.database.pool.query(
    "update tollgate.events set next_attempt_at = now() - interval '1 hour' where id = $1",
    [id],
  );
}
