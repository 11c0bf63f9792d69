/** PostgreSQL goes away and comes back while events pour in: a real server of the test's own, killed for real. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectDatabase } from '../../src/platform/database.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/platform/embedded-postgres.ts';
import { createLog } from '../../src/platform/log.ts';
import { migrate } from '../../src/platform/migrate.ts';
import { type InboxService, startInboxService } from '../support/inbox-service.ts';
import { customer, item, price, subscription } from '../support/mirror-objects.ts';
import { type ScriptedStripe, startScriptedStripe } from '../support/mirror-stripe.ts';
import { deliver, eventAbout } from '../support/signed-events.ts';
import { until } from '../support/until.ts';

const log = createLog(process.env.TEST_LOG_LEVEL ?? 'silent');

let dataDir: string;
let server: EmbeddedPostgres;
let url: string;
let stripe: ScriptedStripe;
let inbox: InboxService;

beforeEach(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'tollgate-withstand-'));
  // Settings as in production: what is acknowledged has to survive the crash.
  server = await startEmbeddedPostgres({ dataDir, log });
  const { host, user, database } = server.connection;
  url = `postgresql://${user}@localhost/${database}?host=${encodeURIComponent(host)}`;
  const handle = connectDatabase({ connectionString: url }, { log, max: 2 });
  await migrate(handle.pool, { log });
  await handle.close();
  stripe = await startScriptedStripe();
  inbox = await startInboxService({ databaseUrl: url, stripeUrl: stripe.url });
});

afterEach(async () => {
  await inbox?.close();
  await stripe?.close();
  await server?.stop();
  await rm(dataDir, { recursive: true, force: true });
});

/** The server's first process; its others go with it. */
async function postmaster(): Promise<number> {
  const file = await readFile(path.join(server.directory, 'postmaster.pid'), 'utf8');
  return Number(file.split('\n')[0]);
}

/** @param signal - SIGINT shuts down and disconnects everybody; SIGQUIT and SIGKILL are crashes */
async function restartDatabase(signal: NodeJS.Signals): Promise<void> {
  const old = await postmaster();
  process.kill(old, signal);
  await until(async () => (await postmaster().catch(() => old)) !== old, 20_000, 'another postmaster runs');
  await until(
    () =>
      inbox.db
        .selectFrom('tollgate.events')
        .select('id')
        .limit(1)
        .execute()
        .then(
          () => true,
          () => false,
        ),
    20_000,
  );
}

test('everything acknowledged is there and processed, however often PostgreSQL is restarted under load', async () => {
  const acknowledged = new Set<string>();
  const answers = new Set<number>();
  const objects = new Set<string>();
  let over = false;

  async function send(sender: number): Promise<void> {
    for (let n = 0; !over; n++) {
      const [id, customerId] = [`sub_${sender}_${n}`, `cus_${sender}_${n}`];
      stripe.put(customer(customerId), subscription(id, customerId, [item(`si_${id}`, price('price_1', 'prod_1'))]));
      objects.add(id);
      const event = eventAbout('customer.subscription.updated', { id });
      for (;;) {
        const answer = await deliver(inbox.url, event);
        answers.add(answer);
        if (answer === 200) break;
        await sleep(50);
      }
      acknowledged.add(event.id);
    }
  }

  const senders = Promise.all(Array.from({ length: 8 }, (_, sender) => send(sender)));
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    const before = acknowledged.size;
    await until(() => acknowledged.size > before + 50, 20_000, `50 events before ${signal}`);
    await restartDatabase(signal);
  }
  const before = acknowledged.size;
  await until(() => acknowledged.size > before + 50, 20_000, '50 events after all of it');
  over = true;
  await senders;

  expect([...answers].sort()).toEqual([200, 503]);
  const stored = async () =>
    await inbox.db.selectFrom('tollgate.events').select(['id', 'object_id', 'status', 'reason']).execute();
  expect(new Set((await stored()).map(({ id }) => id))).toEqual(acknowledged);
  // None of the customers is known here, so the mirror has looked at each object when its event is ignored.
  await until(async () => (await stored()).every(({ status }) => status === 'ignored' || status === 'parked'), 30_000);
  const asked = new Set(stripe.requests.map((request) => /subscriptions\/(\w+)/.exec(request)?.[1]));
  expect([...objects].filter((id) => !asked.has(id))).toEqual([]);
}, 120_000);
