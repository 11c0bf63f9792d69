import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Sandbox, startSandbox } from '@tollgate/stripe-sandbox';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compose } from '../../src/compose.ts';
import { registerDemoRoutes } from '../../src/demo/routes.ts';
import type { Demo } from '../../src/demo/set-up.ts';
import { createLog } from '../../src/platform/log.ts';
import { createConnections, createStripeClient } from '../../src/stripe/connections.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { ADMIN_KEY } from '../support/http.ts';

let database: TestDatabase;
let sandbox: Sandbox;
let dataDir: string;
let running: Running;

interface Running {
  url: string;
  demo: Demo;
  close(): Promise<void>;
}

/** The service with the demo, as a start brings it up; database, sandbox and data directory outlive it. */
async function startDemo(): Promise<Running> {
  const client = createStripeClient({ secretKey: 'sk_test_of_the_tests', apiBase: sandbox.url });
  const service = await compose({
    database: { connectionString: database.url },
    connections: createConnections([
      { id: 'default', client, webhookSecrets: ['whsec_for_tests_0123456789'], livemode: false, installation: 'tests' },
    ]),
    clock: { now: () => Date.now() },
    log: createLog(process.env.TEST_LOG_LEVEL ?? 'silent'),
    version: '0.0.0-test',
    adminKey: ADMIN_KEY,
    sealer: null,
    reconcileCron: '17 3 * * *',
  });
  const routes = registerDemoRoutes(service.app, {
    app: service.app,
    adminKey: ADMIN_KEY,
    dataDir,
    sandboxUrl: sandbox.url,
  });
  const url = await service.listen({ host: '127.0.0.1', port: 0 });
  return { url, demo: await routes.setUp(), close: () => service.close() };
}

async function restart(): Promise<Demo> {
  await running.close();
  running = await startDemo();
  return running.demo;
}

async function counts(): Promise<unknown> {
  const { rows } = await database.pool.query<{ counts: unknown }>(
    `select json_build_array(
       (select count(*) from tollgate.projects), (select count(*) from tollgate.features),
       (select count(*) from tollgate.products), (select count(*) from tollgate.prices)) as counts`,
  );
  return rows[0]?.counts;
}

async function send(form: string, fields: Record<string, string>, headers: Record<string, string> = {}) {
  return await fetch(`${running.url}/demo/${form}`, {
    method: 'POST',
    redirect: 'manual',
    headers,
    body: new URLSearchParams(fields),
  });
}

beforeAll(async () => {
  database = await createTestDatabase();
  sandbox = await startSandbox();
  dataDir = await mkdtemp(path.join(tmpdir(), 'tollgate-demo-'));
  running = await startDemo();
});

afterAll(async () => {
  await running.close();
  await sandbox.close();
  await database.drop();
  await rm(dataDir, { recursive: true, force: true });
});

test('the first start makes the project, its features, products and prices; the next changes nothing', async () => {
  expect(await counts()).toEqual([1, 4, 3, 4]);
  const { projectId, secretKey } = running.demo;
  expect(await restart()).toMatchObject({ projectId, secretKey });
  expect(await counts()).toEqual([1, 4, 3, 4]);
});

test('the keys are kept where only their owner can read them', async () => {
  const file = path.join(dataDir, 'demo-project.json');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({
    project_id: running.demo.projectId,
    secret_key: running.demo.secretKey,
  });
});

test('a key that was lost or revoked is replaced by another of the same project', async () => {
  const { projectId, secretKey } = running.demo;
  await writeFile(path.join(dataDir, 'demo-project.json'), 'not json');
  const second = await restart();
  expect(second.projectId).toBe(projectId);
  expect(second.secretKey).not.toBe(secretKey);
  await database.pool.query('update tollgate.api_keys set revoked_at = now() where project_id = $1', [projectId]);
  const third = await restart();
  expect(third.projectId).toBe(projectId);
  expect(third.secretKey).not.toBe(second.secretKey);
  expect(await counts()).toEqual([1, 4, 3, 4]);
});

test('a set-up that was cut short is completed by the next start', async () => {
  const { projectId } = running.demo;
  sandbox.control.reset();
  await database.pool.query('delete from tollgate.prices where project_id = $1', [projectId]);
  await database.pool.query('delete from tollgate.mappings where project_id = $1', [projectId]);
  await database.pool.query('delete from tollgate.products where project_id = $1', [projectId]);
  await database.pool.query("delete from tollgate.features where project_id = $1 and code = 'seats'", [projectId]);
  expect(await counts()).toEqual([1, 3, 0, 0]);
  await restart();
  expect(await counts()).toEqual([1, 4, 3, 4]);
});

test('the page loads nothing but its own style and script, and may not be framed', async () => {
  const answer = await fetch(`${running.url}/`);
  expect(answer.status).toBe(200);
  const policy = answer.headers.get('content-security-policy') ?? '';
  expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-[^']+'; script-src 'self'; connect-src 'self'/);
  expect(policy).toContain("frame-ancestors 'none'");
  expect(answer.headers.get('cache-control')).toBe('no-store');
  expect((await fetch(`${running.url}/demo/page.js`)).headers.get('content-type')).toMatch(/^text\/javascript/);
});

test("another site's form does nothing", async () => {
  const fields = { grant: 'pro_export', reason: 'none of yours' };
  expect((await send('grant', fields, { origin: 'https://evil.example' })).status).toBe(403);
  expect((await send('grant', fields, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
  const { rows } = await database.pool.query('select 1 from tollgate.grants');
  expect(rows).toHaveLength(0);
});

test('a name that was pointed at this machine gets no keys', async () => {
  const { port } = new URL(running.url);
  const [status, text] = await new Promise<[number, string]>((resolve, reject) => {
    httpRequest({ host: '127.0.0.1', port, path: '/', headers: { host: `evil.example:${port}` } }, (answer) => {
      let body = '';
      answer.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      answer.on('end', () => resolve([answer.statusCode ?? 0, body]));
    })
      .on('error', reject)
      .end();
  });
  expect(status).toBe(403);
  expect(text).not.toContain('tg_sk_');
});

test('what the API refuses is told on the page, with its status', async () => {
  const refused = await send('buy', { lookup_key: 'nothing' });
  expect(refused.status).toBe(404);
  expect(await refused.text()).toContain('There is no such price');
  const portal = await send('portal', {});
  expect(portal.status).toBe(404);
  expect(await portal.text()).toContain('has bought nothing yet');
  expect((await send('grant', { grant: 'everything', reason: 'x' })).status).toBe(400);
  expect((await send('grant', { grant: 'pro_export', reason: '' })).status).toBe(400);
});

test('buying leads to the checkout of the sandbox', async () => {
  const answer = await send('buy', { lookup_key: 'team_monthly' });
  expect(answer.status).toBe(303);
  const checkout = await fetch(answer.headers.get('location') ?? '');
  expect(await checkout.text()).toContain('$27.00');
});

test('a grant and its revocation go through the audit trail', async () => {
  const granted = await send('grant', { grant: 'seats', days: '30', reason: 'For <b>Ada</b>' });
  expect(granted.headers.get('location')).toBe('/?did=granted');
  const page = await (await fetch(`${running.url}/?did=granted&explain=seats`)).text();
  expect(page).toContain('Seats: yes');
  expect(page).toContain('For &lt;b&gt;Ada&lt;/b&gt;');
  expect((await send('revoke', { feature: 'seats', reason: 'Enough' })).headers.get('location')).toBe('/?did=revoked');
  const { rows } = await database.pool.query(
    "select action from tollgate.audit_entries where actor = 'demo' and reason is not null",
  );
  expect(rows).toEqual([{ action: 'grant.created' }, { action: 'grant.revoked' }]);
});
