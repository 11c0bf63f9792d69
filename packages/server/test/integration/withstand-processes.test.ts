/** Processes that die and processes that share: real ones, on a real database and a scripted Stripe. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startInboxService } from '../support/inbox-service.ts';
import { customer, item, price, START, subscription } from '../support/mirror-objects.ts';
import { type MirrorWorld, startMirrorWorld } from '../support/mirror-world.ts';
import { deliver, type EventBody, eventAbout } from '../support/signed-events.ts';
import { until } from '../support/until.ts';

const PROGRAM = path.resolve(import.meta.dirname, '../support/inbox-process.ts');

let world: MirrorWorld;
let projectId: string;
let children: ChildProcess[];

beforeEach(async () => {
  world = await startMirrorWorld();
  projectId = await world.addProject('pro');
  children = [];
});

afterEach(async () => {
  await Promise.all(children.map(kill));
  await world.close();
});

async function startProcess(): Promise<{ url: string; child: ChildProcess }> {
  const child = spawn(process.execPath, [PROGRAM, world.database.url, world.stripe.url], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const [url] = await once(createInterface({ input: child.stdout as NodeJS.ReadableStream }), 'line');
  return { url, child };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

async function sell(n: number, fields: object = {}) {
  const [id, customerId, stripeCustomerId] = [`sub_${n}x`, `u_${n}`, `cus_${n}`];
  await world.addCustomer(projectId, customerId, stripeCustomerId);
  world.stripe.put(
    customer(stripeCustomerId),
    subscription(id, stripeCustomerId, [item(`si_${n}`, price('price_pro', 'prod_pro'))], fields),
  );
  return { id, customerId, event: (type: string) => eventAbout(`customer.subscription.${type}`, { id }) };
}

async function statuses(): Promise<Record<string, number>> {
  const { rows } = await world.database.pool.query<{ status: string; count: number }>(
    'select status, count(*)::int as count from tollgate.events group by status',
  );
  return Object.fromEntries(rows.map(({ status, count }) => [status, count]));
}

async function versions(objectId: string): Promise<number> {
  const rows = await world.database.db
    .selectFrom('tollgate.fact_versions')
    .select('id')
    .where('object_id', '=', objectId)
    .execute();
  return rows.length;
}

test('a process killed between fetch and save loses nothing: the next one starts over and saves once', async () => {
  const bought = await sell(1);
  const { url, child } = await startProcess();
  const held = world.stripe.holdNext(`subscriptions/${bought.id}`);
  expect(await deliver(url, bought.event('created'))).toBe(200);
  await held.arrived;
  // Whoever saves the subscription waits for this row; so the process stops between the two.
  const blocker = await world.database.pool.connect();
  await blocker.query('begin');
  await blocker.query('select 1 from tollgate.object_sequences where object_id = $1 for update', [bought.id]);
  held.release();
  await until(async () => {
    const { rows } = await world.database.pool.query(
      "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    );
    return rows.length === 1;
  });
  await kill(child);
  await blocker.query('rollback');
  blocker.release();
  expect(await statuses()).toEqual({ received: 1 });
  expect(await versions(bought.id)).toBe(0);

  const second = await startInboxService({ databaseUrl: world.database.url, stripeUrl: world.stripe.url });
  try {
    await until(async () => (await statuses()).processed === 1, 15_000);
    expect(await versions(bought.id)).toBe(1);
    expect(await world.access(projectId, bought.customerId)).toMatchObject({ entitled: true });
  } finally {
    await second.close();
  }
});

test('a process killed while another event waits behind its fetch loses neither', async () => {
  const bought = await sell(1);
  const { url, child } = await startProcess();
  world.stripe.holdNext(`subscriptions/${bought.id}`);
  expect(await deliver(url, bought.event('created'))).toBe(200);
  await until(() => world.stripe.requests.length === 1);
  world.stripe.put(
    subscription(bought.id, 'cus_1', [item('si_1', price('price_pro', 'prod_pro'))], {
      status: 'canceled',
      canceled_at: START + 60,
      ended_at: START + 60,
    }),
  );
  expect(await deliver(url, bought.event('deleted'))).toBe(200);
  await kill(child);
  const second = await startInboxService({ databaseUrl: world.database.url, stripeUrl: world.stripe.url });
  try {
    await until(async () => (await statuses()).processed === 2, 15_000);
    expect(await world.fact(bought.id)).toMatchObject({ status: 'canceled' });
  } finally {
    await second.close();
  }
});

test('two processes on one database share the events: each is stored once and has one effect', async () => {
  const [first, second] = await Promise.all([startProcess(), startProcess()]);
  const bought = await Promise.all(Array.from({ length: 12 }, (_, n) => sell(n)));
  const events: EventBody[] = bought.flatMap(({ event }) => [event('created'), event('updated'), event('updated')]);
  // Every event comes to both, twice, at once.
  const urls = [first.url, second.url, first.url, second.url];
  const answers = await Promise.all(events.flatMap((event) => urls.map((url) => deliver(url, event))));
  expect(new Set(answers)).toEqual(new Set([200]));
  await until(async () => (await statuses()).processed === events.length, 20_000);
  expect(await statuses()).toEqual({ processed: events.length });
  for (const { id, customerId } of bought) {
    expect(await versions(id)).toBe(1);
    expect(await world.access(projectId, customerId)).toMatchObject({ entitled: true });
  }
});

test('while events pour in, one of two processes is killed again and again, and nothing acknowledged is lost', async () => {
  const steady = await startProcess();
  let mortal = await startProcess();
  const acknowledged = new Set<string>();
  const bought = await Promise.all(Array.from({ length: 40 }, (_, n) => sell(n)));
  let over = false;
  const killer = (async () => {
    while (!over) {
      await new Promise((resolve) => setTimeout(resolve, 150));
      await kill(mortal.child);
      mortal = await startProcess();
    }
  })();
  await Promise.all(
    bought.map(async ({ event }, n) => {
      for (const type of ['created', 'updated', 'updated']) {
        const body = event(type);
        // Stripe sends again until it gets a 200, and any node may take it.
        for (let tries = n; ; tries++) {
          if ((await deliver(tries % 2 ? steady.url : mortal.url, body)) === 200) break;
        }
        acknowledged.add(body.id);
      }
    }),
  );
  over = true;
  await killer;
  await until(async () => (await statuses()).processed === acknowledged.size, 25_000);
  expect(await statuses()).toEqual({ processed: 120 });
  for (const { id, customerId } of bought) {
    expect(await versions(id)).toBe(1);
    expect(await world.access(projectId, customerId)).toMatchObject({ entitled: true });
  }
}, 60_000);
