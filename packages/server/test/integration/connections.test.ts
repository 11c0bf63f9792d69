/** Stripe accounts that operators add: their secrets, whose they are, and what several processes know of them. */
import { randomBytes } from 'node:crypto';
import { type Sandbox, startSandbox } from '@tollgate/stripe-sandbox';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRegistry, type RegistryOptions } from '../../src/connections/registry.ts';
import { EVENT_TYPES } from '../../src/inbox/event-types.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { createLog } from '../../src/platform/log.ts';
import { createSealer } from '../../src/platform/sealing.ts';
import { createConnections, createStripeClient } from '../../src/stripe/connections.ts';
import type { Answer } from '../support/client.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { type KeyServer, startKeyServer } from '../support/key-server.ts';
import { eventAbout, sign } from '../support/signed-events.ts';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';
import { until } from '../support/until.ts';

const KEYS = {
  acme: 'sk_test_acme_4f9a8b7c6d5e4f3a2b1c',
  one: 'sk_test_one_1a2b3c4d5e6f7a8b9c0d',
  oneToo: 'sk_test_onetoo_9z8y7x6w5v4u3t2s',
  two: 'sk_test_two_0f1e2d3c4b5a69788776',
  mute: 'rk_test_mute_77aa66bb55cc44dd33ee',
};
const SECRETS = { old: 'whsec_old_a1b2c3d4e5f6a7b8c9d0', new: 'whsec_new_0d9c8b7a6f5e4d3c2b1a' };
const [OLD, NEW] = [randomBytes(32), randomBytes(32)] as const;

let database: TestDatabase;
let home: Sandbox;
let acme: Sandbox;
let keys: KeyServer;
/** Whose the keys of the sandboxes are. */
let accounts: { home: string; acme: string };
/** Two processes on one database. */
let here: Tollgate;
let there: Tollgate;
let logged = '';
let answered = '';
const log = createLog('trace', {
  write: (line: string) => {
    logged += line;
  },
});

const accountOf = async ({ url }: Sandbox) =>
  (await createStripeClient({ secretKey: 'sk_test_x', apiBase: url }).accounts.retrieveCurrent()).id;

beforeAll(async () => {
  database = await createTestDatabase({ max: 10 });
  [home, acme] = await Promise.all([startSandbox({ seed: 1 }), startSandbox({ seed: 2 })]);
  accounts = { home: await accountOf(home), acme: await accountOf(acme) };
  keys = await startKeyServer({
    [KEYS.one]: 'acct_one',
    [KEYS.oneToo]: 'acct_one',
    [KEYS.two]: 'acct_two',
    [KEYS.mute]: 403,
  });
  const common = { database, sandbox: home, sealer: createSealer([OLD]), log };
  here = await startTollgate({ ...common, publicUrl: 'http://127.0.0.1:9', liveRefusals: ['No real money here.'] });
  there = await startTollgate({ ...common, deaf: true });
});
afterAll(async () => {
  await Promise.all([here?.close(), there?.close()]);
  await Promise.all([home?.close(), acme?.close(), keys?.close()]);
  await database?.drop();
});

/** What was answered is kept, to look for secrets in it. */
async function ask(method: 'get' | 'post' | 'patch' | 'delete', path: string, body?: object): Promise<Answer> {
  const answer = await here.admin[method](`/admin/connections${path}`, body as never);
  answered += JSON.stringify(answer.body);
  return answer;
}

/** What a process answers to an event that is signed with a secret. */
async function deliver(to: Tollgate, connection: string, secret: string): Promise<number> {
  const body = JSON.stringify(eventAbout('customer.created', { id: 'cus_1', object: 'customer' }));
  const response = await fetch(`${to.url}/api/v1/webhooks/stripe/${connection}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'stripe-signature': sign(body, secret) },
    body,
  });
  answered += await response.text();
  return response.status;
}

/** The registry of a process that starts now, on the same database. */
async function starting(options: Partial<RegistryOptions> & { stripeUrl?: string } = {}) {
  const client = createStripeClient({ secretKey: 'sk_test_of_the_tests', apiBase: options.stripeUrl ?? home.url });
  const registry = await createRegistry({
    db: database.db,
    database: { connectionString: database.url },
    clock: systemClock,
    log,
    liveRefusals: [],
    sealer: createSealer([OLD]),
    environment: createConnections([
      { id: 'default', client, webhookSecrets: ['whsec_of_the_settings'], livemode: false, installation: 'tests' },
    ]),
    ...options,
  });
  await registry.stop();
  return registry;
}

describe('a connection that is added', () => {
  test('is of the account that its key is of, and is known to every process', async () => {
    const made = await ask('post', '', {
      id: 'acme',
      name: 'Acme',
      secret_key: KEYS.acme,
      webhook_secrets: [SECRETS.old],
      api_base: acme.url,
      actor: 'ana',
    });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      object: 'connection',
      id: 'acme',
      name: 'Acme',
      status: 'active',
      origin: 'stored',
      livemode: false,
      account_id: accounts.acme,
      account_verified: true,
      secret_key_hint: 'sk_test_…2b1c',
      webhook_secrets: [{ hint: 'whsec_…c9d0', expires_at: null }],
      webhook: null,
    });
    expect(await deliver(here, 'acme', SECRETS.old)).toBe(200);
    expect(await deliver(there, 'acme', SECRETS.old)).toBe(200);
    expect(await deliver(there, 'acme', 'whsec_unused')).toBe(400);
    expect(await deliver(there, 'default', SECRETS.old)).toBe(400);
    expect(await deliver(there, 'nobody', SECRETS.old)).toBe(404);
    const { body } = await here.admin.get('/admin/audit?action=connection.created');
    answered += JSON.stringify(body);
    const detail = { connection: 'acme', account: accounts.acme, api_base: acme.url };
    expect(body.data).toMatchObject([{ actor: 'ana', detail }]);
  });

  test('is looked for in the database by a process that has not heard of it', async () => {
    const registry = await starting();
    await ask('post', '', { id: 'late', secret_key: KEYS.one, api_base: keys.url, webhook_secrets: [SECRETS.new] });
    // It has stopped listening.
    expect(registry.ids()).not.toContain('late');
    expect((await registry.find('late')).verifiedAccount).toBe('acct_one');
    await expect(registry.find('never')).rejects.toMatchObject({ code: 'not_found' });
  });

  test.each([
    [
      'of an account that has a connection',
      { secret_key: KEYS.acme, api_base: () => acme.url },
      409,
      'connection_exists',
    ],
    ['that Stripe does not take', { secret_key: 'sk_test_nobody', api_base: () => keys.url }, 400, 'stripe_refused'],
    [
      'that cannot be asked about',
      { secret_key: KEYS.two, api_base: () => 'http://127.0.0.1:1' },
      503,
      'stripe_unavailable',
    ],
    ['that is none', { secret_key: 'pk_test_1' }, 400, 'invalid_request'],
    [
      'that would go in the clear',
      { secret_key: KEYS.two, api_base: () => 'http://stripe.example' },
      400,
      'invalid_request',
    ],
    ['for real money where there may be none', { secret_key: 'sk_live_1' }, 409, 'live_refused'],
  ])(
    'is refused with a key %s',
    async (_, { secret_key, api_base }: { secret_key: string; api_base?: () => string }, status, code) => {
      const more = api_base === undefined ? {} : { api_base: api_base() };
      const refused = await ask('post', '', { id: 'refused', secret_key, ...more });
      expect([refused.status, refused.body.code]).toEqual([status, code]);
      expect((await ask('get', '/refused')).status).toBe(404);
    },
  );

  test.each([[null], [{}], [{ id: 5 }], [{ id: '' }], [[]], ['acct_one'], [true], [{ error: 5 }]])(
    'is refused where what answers there is no Stripe, and says %j',
    async (answer) => {
      keys.accounts.set('sk_test_foreign', { body: answer });
      const { status, body } = await ask('post', '', {
        id: 'refused',
        secret_key: 'sk_test_foreign',
        api_base: keys.url,
      });
      expect([status, body.code]).toEqual([503, 'stripe_unavailable']);
      expect(body.detail).toContain('is not the API of Stripe');
      expect((await ask('get', '/refused')).status).toBe(404);
    },
  );

  test('is refused under an id that is taken, and where nothing can be encrypted', async () => {
    for (const id of ['acme', 'default']) {
      const { body } = await ask('post', '', { id, secret_key: KEYS.two, api_base: keys.url });
      expect(body).toMatchObject({ code: 'connection_exists', errors: [{ path: 'id', message: 'is taken' }] });
    }
    const bare = await startTollgate({ sealer: null, log });
    const { status, body } = await bare.admin.post('/admin/connections', { id: 'acme', secret_key: KEYS.one });
    expect([status, body.code]).toEqual([409, 'encryption_key_missing']);
    await bare.close();
  });

  test('is in the list beside the one of the settings', async () => {
    const { body } = await ask('get', '');
    expect(body.data.map(({ id }: { id: string }) => id)).toEqual(['acme', 'default', 'late']);
    expect(body.data[1]).toMatchObject({ origin: 'environment', account_id: accounts.home, account_verified: true });
    const page = await ask('get', '?limit=1');
    expect(page.body).toMatchObject({ has_more: true, data: [{ id: 'acme' }] });
    expect((await ask('get', `?limit=1&cursor=${page.body.next_cursor}`)).body.data).toMatchObject([{ id: 'default' }]);
  });

  test('keeps where it goes as it is understood, and not as it was typed', async () => {
    const { port } = new URL(keys.url);
    for (const typed of [` http://127.0.0.1:${port}/.`, `http:\\\\127.0.0.1:${port}\\`, `HTTP://127.1:${port}//..`]) {
      const made = await ask('post', '', { id: 'typed', secret_key: KEYS.two, api_base: typed });
      expect([typed, made.status, made.body.api_base]).toEqual([typed, 201, keys.url]);
      await ask('delete', '/typed');
    }
  });
});

describe('a key', () => {
  test('is replaced by one of the same account only', async () => {
    const refused = await ask('patch', '/late', { secret_key: KEYS.two });
    expect([refused.status, refused.body.code]).toEqual([409, 'connection_account_mismatch']);
    expect(refused.body.detail).toMatch(/acct_one.*acct_two/);
    expect((await ask('patch', '/late', { secret_key: 'sk_live_1' })).body.code).toBe('connection_account_mismatch');
    expect((await ask('patch', '/late', { secret_key: 'sk_test_nobody' })).body.code).toBe('stripe_refused');
    expect((await ask('patch', '/default', { secret_key: KEYS.one })).body.code).toBe('conflict');
    const replaced = await ask('patch', '/late', { secret_key: KEYS.oneToo });
    expect(replaced.body).toMatchObject({ secret_key_hint: 'sk_test_…3t2s', account_verified: true });
  });

  test('that may not tell whose it is passes, and does not count as verified', async () => {
    const { status, body } = await ask('patch', '/late', { secret_key: KEYS.mute });
    expect(status).toBe(200);
    expect(body).toMatchObject({ account_id: 'acct_one', account_verified: false });
    expect((await ask('patch', '/late', { secret_key: KEYS.one })).body.account_verified).toBe(true);
  });
});

describe('a signing secret', () => {
  test('is rotated: the old one alone, both, the new one alone', async () => {
    const before = (await ask('get', '/acme')).body.webhook_secrets;
    const both = await ask('patch', '/acme', { add_webhook_secrets: [SECRETS.new] });
    expect(both.body.webhook_secrets).toHaveLength(2);
    await until(async () => (await deliver(there, 'acme', SECRETS.new)) === 200);
    expect(await deliver(there, 'acme', SECRETS.old)).toBe(200);
    const one = await ask('patch', '/acme', { retire_webhook_secrets: [before[0].id] });
    expect(one.body.webhook_secrets).toMatchObject([{ hint: 'whsec_…2b1a' }]);
    expect(await deliver(here, 'acme', SECRETS.old)).toBe(400);
    await until(async () => (await deliver(there, 'acme', SECRETS.old)) === 400);
    expect(await deliver(there, 'acme', SECRETS.new)).toBe(200);
  });

  test('that is the last one stays', async () => {
    const [{ id }] = (await ask('get', '/acme')).body.webhook_secrets;
    expect((await ask('patch', '/acme', { retire_webhook_secrets: [id] })).status).toBe(409);
    expect((await ask('patch', '/acme', { retire_webhook_secrets: ['whs_other'] })).status).toBe(400);
    expect(await deliver(here, 'acme', SECRETS.new)).toBe(200);
  });
});

describe('a webhook endpoint', () => {
  const endpoints = async () => {
    const client = createStripeClient({ secretKey: KEYS.acme, apiBase: acme.url });
    return (await client.webhookEndpoints.list({ limit: 100 })).data;
  };

  test('is made with the types that are acted upon; made again, it takes the place of the former', async () => {
    const made = await ask('post', '/acme/webhook', { url: `${here.url}/api/v1/webhooks/stripe/acme` });
    expect(made.status).toBe(201);
    const [endpoint] = await endpoints();
    expect(endpoint).toMatchObject({
      id: made.body.webhook.endpoint_id,
      url: `${here.url}/api/v1/webhooks/stripe/acme`,
      api_version: '2026-10-28.endive',
      metadata: { tollgate_installation: 'tests', tollgate_connection: 'acme' },
    });
    expect(endpoint?.enabled_events.toSorted()).toEqual(Object.keys(EVENT_TYPES).sort());

    const again = await ask('post', '/acme/webhook', { url: `${here.url}/api/v1/webhooks/stripe/acme` });
    expect((await endpoints()).map(({ id }) => id)).toEqual([again.body.webhook.endpoint_id]);
    expect(again.body.webhook.endpoint_id).not.toBe(made.body.webhook.endpoint_id);
    const [newest, former] = again.body.webhook_secrets;
    expect(newest.expires_at).toBeNull();
    expect(Date.parse(former.expires_at)).toBeGreaterThan(here.clock.now() + 23 * 3600_000);

    const client = createStripeClient({ secretKey: KEYS.acme, apiBase: acme.url });
    const { id } = await client.products.create({ name: 'Pro' });
    await until(
      async () => (await here.admin.get(`/admin/events?object_id=${id}&connection=acme`)).body.data.length > 0,
    );
    expect(acme.control.deliveries().every(({ status }) => status === 200)).toBe(true);
  });

  test('goes to the connection’s path under PUBLIC_URL, and needs to know where that is', async () => {
    const { body } = await ask('post', '/default/webhook');
    expect(body.webhook.url).toBe('http://127.0.0.1:9/api/v1/webhooks/stripe/default');
    const nowhere = await there.admin.post('/admin/connections/acme/webhook', {});
    expect([nowhere.status, nowhere.body.errors[0].path]).toEqual([400, 'url']);
  });
});

describe('a project', () => {
  const move = (id: string, connection: string) => here.admin.patch(`/admin/projects/${id}`, { connection });
  const createIn = async (connection: string) => {
    const slug = `p-${randomBytes(4).toString('hex')}`;
    return (await here.admin.post('/admin/projects', { name: 'P', slug, connection })).body as { id: string };
  };

  test('sells through a connection that there is, and changes it only while it has nothing there', async () => {
    const unknown = await here.admin.post('/admin/projects', { name: 'P', slug: 'p-unknown', connection: 'nobody' });
    expect([unknown.status, unknown.body.errors[0].path]).toEqual([400, 'connection']);
    const { body: made } = await here.admin.post('/admin/projects', { name: 'P', slug: 'p-acme', connection: 'acme' });
    expect((await move(made.id, 'nobody')).status).toBe(400);
    expect((await move(made.id, 'default')).body.connection).toBe('default');
    expect((await move(made.id, 'acme')).body.connection).toBe('acme');
    await here.as(made.secret_key).put('/customers/u_1', {});
    const refused = await move(made.id, 'default');
    expect([refused.status, refused.body.code]).toEqual([409, 'connection_fixed']);
    expect((await move(made.id, 'acme')).status).toBe(200);
  });

  test.each(['queued', 'running'] as const)('keeps its connection while an import of it is %s', async (status) => {
    const made = await createIn('acme');
    const id = `imp_${status}`;
    const asked = { project_id: made.id, connection_id: 'acme', request: '{}', reason: 'A test', actor: 'test' };
    await database.db
      .insertInto('tollgate.imports')
      .values({ id, status, ...asked, dry_run: false, counts: '{}', created_at: new Date() })
      .execute();
    const refused = await move(made.id, 'default');
    expect([refused.status, refused.body.code, refused.body.import_id]).toEqual([409, 'import_running', id]);
    await database.db.updateTable('tollgate.imports').set({ status: 'failed' }).where('id', '=', id).execute();
    expect((await move(made.id, 'default')).status).toBe(200);
  });

  test('whose connection is being changed has an import wait for that, and import from the new one', async () => {
    const made = await createIn('acme');
    const importing = await database.db.transaction().execute(async (tx) => {
      const project = tx.selectFrom('tollgate.projects').select('id').where('id', '=', made.id);
      await project.forUpdate().execute();
      const asked = here.admin.post('/admin/import', { project_id: made.id, reason: 'A test' });
      const waits = `select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
      await until(async () => (await database.pool.query(waits)).rows.length > 0);
      await tx.updateTable('tollgate.projects').set({ connection_id: 'default' }).where('id', '=', made.id).execute();
      return { asked };
    });
    expect((await importing.asked).body.connection).toBe('default');
  });

  test('keeps its connection from being taken out of use', async () => {
    const refused = await ask('delete', '/acme');
    expect([refused.status, refused.body.code]).toEqual([409, 'connection_in_use']);
    expect(refused.body.projects).toHaveLength(1);
    expect((await ask('delete', '/default')).status).toBe(409);
    const { status, body } = await ask('delete', '/late');
    expect([status, body.status, body.webhook_secrets]).toEqual([200, 'disabled', []]);
    const late = await here.admin.post('/admin/projects', { name: 'P', slug: 'p-late', connection: 'late' });
    expect(late.status).toBe(400);
    expect(await deliver(here, 'late', SECRETS.new)).toBe(404);
    expect((await ask('patch', '/late', { name: 'L' })).status).toBe(404);
  });

  test('finds a connection that was taken out of use again under the same account alone', async () => {
    const other = await ask('post', '', { id: 'late', secret_key: KEYS.two, api_base: keys.url });
    expect(other.body.code).toBe('connection_account_mismatch');
    const { status, body } = await ask('post', '', { id: 'late', secret_key: KEYS.one, api_base: keys.url });
    expect([status, body.status, body.account_id]).toEqual([201, 'active', 'acct_one']);
    // What it was signed with is forgotten.
    expect(body.webhook_secrets).toEqual([]);
    expect(await deliver(here, 'late', SECRETS.new)).toBe(400);
  });
});

describe('a start', () => {
  const sealed = async (id: string): Promise<string> =>
    (
      await database.db
        .selectFrom('tollgate.connections')
        .select('secret_key')
        .where('id', '=', id)
        .executeTakeFirstOrThrow()
    ).secret_key as string;
  const write = (id: string, secret_key: string) =>
    database.db.updateTable('tollgate.connections').set({ secret_key }).where('id', '=', id).execute();

  test('goes on without Stripe, and believes what it was told before', async () => {
    const registry = await starting({ stripeUrl: 'http://127.0.0.1:1' });
    expect(registry.get('default').verifiedAccount).toBeNull();
    expect(registry.get('acme').verifiedAccount).toBe(accounts.acme);
  });

  test('is refused with the key of another account, once something was sold', async () => {
    await here.secret.post('/products', { name: 'Sold here' });
    await expect(starting({ stripeUrl: acme.url })).rejects.toThrow(
      `default is of the Stripe account ${accounts.home}, and its key is of ${accounts.acme}`,
    );
  });

  test('is refused with a key of the other mode, once something was sold', async () => {
    const client = createStripeClient({ secretKey: 'sk_live_of_the_tests', apiBase: home.url });
    const connection = { id: 'default', client, webhookSecrets: ['whsec_of_the_settings'], installation: 'tests' };
    const environment = createConnections([{ ...connection, livemode: true }]);
    await expect(starting({ environment })).rejects.toThrow(
      'default has sold in test mode, and STRIPE_SECRET_KEY is of live mode. Live and test never mix',
    );
    expect((await ask('get', '/default')).body.livemode).toBe(false);
  });

  test('is refused while a connection of the database moves real money that the settings allow no more', async () => {
    const acmeIs = (livemode: boolean) =>
      database.db.updateTable('tollgate.connections').set({ livemode }).where('id', '=', 'acme').execute();
    await acmeIs(true);
    await expect(starting({ liveRefusals: ['No real money here.'] })).rejects.toThrow(
      'The connection acme is live. No real money here.',
    );
    await acmeIs(false);
  });

  test('leaves a connection of the database alone whose key turns out to be of another account, and is put right then', async () => {
    await ask('post', '', { id: 'pinned', secret_key: KEYS.two, api_base: keys.url });
    expect((await ask('patch', '/pinned', { secret_key: KEYS.mute })).status).toBe(200);
    keys.accounts.set(KEYS.mute, 'acct_three');
    const again = await startTollgate({ database, sandbox: home, deaf: true, sealer: createSealer([OLD]), log });
    const { body } = await again.admin.get('/admin/connections');
    expect(body.data.map(({ id, status }: { id: string; status: string }) => [id, status])).toEqual(
      expect.arrayContaining([
        ['acme', 'active'],
        ['default', 'active'],
        ['pinned', 'unusable'],
      ]),
    );
    const sold = await again.admin.post('/admin/projects', { name: 'P', slug: 'p-pinned', connection: 'pinned' });
    expect(sold.status).toBe(400);
    expect((await again.admin.get('/admin/connections/pinned')).body.problem).toMatch(/acct_two.*acct_three/);
    const repaired = await again.admin.patch('/admin/connections/pinned', { secret_key: KEYS.two });
    expect(repaired.body).toMatchObject({ status: 'active', problem: null, account_verified: true });
    await again.admin.delete('/admin/connections/pinned');
    await again.close();
  });

  test('is refused with what was changed, moved or cannot be opened, in words that name it', async () => {
    const [ofAcme, ofLate] = [await sealed('acme'), await sealed('late')];
    const flipped = ofAcme.slice(0, -2) + (ofAcme.at(-2) === 'A' ? 'B' : 'A') + ofAcme.slice(-1);
    for (const changed of [flipped, ofLate, 'v1.x']) {
      await write('acme', changed);
      await expect(starting()).rejects.toThrow(/connections\/acme\/secret_key/);
    }
    await write('acme', ofAcme);
    await expect(starting({ sealer: null })).rejects.toThrow(/acme.*TOLLGATE_ENCRYPTION_KEY is not set/s);
    await expect(starting({ sealer: createSealer([NEW]) })).rejects.toThrow(/acme.*Add the key/s);
    await expect(starting()).resolves.toBeDefined();
  });

  test('seals everything with the newest key, so that the former can be dropped', async () => {
    await Promise.all([1, 2, 3].map(() => starting({ sealer: createSealer([NEW, OLD]) })));
    const registry = await starting({ sealer: createSealer([NEW]) });
    expect(registry.ids()).toEqual(['default', 'acme', 'late']);
    expect(registry.get('acme').webhookSecrets).toContain(SECRETS.new);
    await expect(starting({ sealer: createSealer([OLD]) })).rejects.toThrow(/acme/);
    // A process that has not been replaced yet goes on with what it has.
    expect((await ask('patch', '/default', { name: 'Home' })).status).toBe(200);
    expect(await deliver(here, 'acme', SECRETS.new)).toBe(200);
  });
});

test('secrets are nowhere: not in answers, the log, the audit trail or the database', async () => {
  const { rows: tables } = await database.pool.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('tollgate', 'graphile_worker')`,
  );
  let stored = '';
  for (const { name } of tables) {
    const { rows } = await database.pool.query<{ text: string }>(`select t::text as text from ${name} as t`);
    stored += rows.map(({ text }) => text).join('\n');
  }
  expect(stored).toContain('connection.created');
  expect(logged).toContain('/api/v1/admin/connections');
  for (const secret of [...Object.values(KEYS), ...Object.values(SECRETS)]) {
    const core = secret.replace(/^(?:[sr]k_test|whsec)_/, '');
    for (const text of [answered, logged, stored]) expect(text.includes(core)).toBe(false);
  }
});
