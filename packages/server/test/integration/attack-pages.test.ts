/** Pages of this machine that pages of elsewhere try to use: names pointed here, forms from afar, proxies, markup. */
import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compose, type Service } from '../../src/compose.ts';
import { registerDemoRoutes } from '../../src/demo/routes.ts';
import { createLog } from '../../src/platform/log.ts';
import { createConnections, createStripeClient } from '../../src/stripe/connections.ts';
import { ADMIN_KEY } from '../support/http.ts';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

let tollgate: Tollgate;
let dataDir: string;
let service: Service;
let demoUrl: string;

beforeAll(async () => {
  tollgate = await startTollgate();
  dataDir = await mkdtemp(path.join(tmpdir(), 'tollgate-attack-'));
  const { sandbox } = tollgate;
  const client = createStripeClient({ secretKey: 'sk_test_of_the_tests', apiBase: sandbox.url });
  service = await compose({
    database: { connectionString: tollgate.database.url },
    connections: createConnections([
      { id: 'default', client, webhookSecrets: ['whsec_for_tests_0123456789'], livemode: false, installation: 'tests' },
    ]),
    clock: { now: () => Date.now() },
    log: createLog('silent'),
    version: '0.0.0-test',
    adminKey: ADMIN_KEY,
    sealer: null,
    reconcileCron: '17 3 * * *',
  });
  registerDemoRoutes(service.app, { app: service.app, adminKey: ADMIN_KEY, dataDir, sandboxUrl: sandbox.url });
  demoUrl = await service.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(async () => {
  await service.close();
  await tollgate.close();
  await rm(dataDir, { recursive: true, force: true });
});

interface Sent {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
}

/** With headers that `fetch` would not let anybody choose. */
async function send(url: string, { method = 'GET', headers = {}, body = '' }: Sent = {}) {
  return await new Promise<{ status: number; text: string }>((resolve, reject) => {
    const request = httpRequest(url, { method, headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
    });
    request.on('error', reject).end(body);
  });
}

const form = { 'content-type': 'application/x-www-form-urlencoded' };

describe('the demo, whose page shows keys', () => {
  it.each([
    ['x-forwarded-for', '203.0.113.9'],
    ['x-forwarded-host', 'shop.example'],
    ['x-real-ip', '203.0.113.9'],
    ['forwarded', 'for=203.0.113.9'],
    ['via', '1.1 proxy'],
    ['cf-connecting-ip', '203.0.113.9'],
  ])('answers nobody whose request came through a proxy on this machine (%s)', async (name, value) => {
    const { status, text } = await send(`${demoUrl}/`, { headers: { [name]: value } });
    expect(status).toBe(403);
    expect(text).not.toContain('tg_');
  });

  it.each(['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', 'a@localhost', 'localhost/"><b>'])(
    'does not answer to the name %s',
    async (host) => {
      const { status, text } = await send(`${demoUrl}/`, { headers: { host } });
      expect(status).toBe(403);
      expect(text).not.toContain('tg_');
    },
  );

  it('takes no form of another origin, nor of one that does not say', async () => {
    for (const headers of [{ origin: 'http://evil.example' }, { origin: 'null' }, { 'sec-fetch-site': 'same-site' }]) {
      const sent = { method: 'POST', headers: { ...form, ...headers }, body: 'grant=seats&reason=x' };
      expect((await send(`${demoUrl}/demo/grant`, sent)).status).toBe(403);
    }
  });

  it('shows text that was written as markup as text', async () => {
    const cookie = 'tollgate_demo_customer=<script>';
    const query = 'explain=%3Cscript%3E&did=bought&session_id=%3Cscript%3Ealert(1)%3C%2Fscript%3E';
    const { text } = await send(`${demoUrl}/?${query}`, { headers: { cookie } });
    expect(text).not.toContain('<script>');
    const sent = { grant: 'seats', reason: '<img src=x onerror=alert(1)>' };
    await send(`${demoUrl}/demo/grant`, { method: 'POST', headers: form, body: String(new URLSearchParams(sent)) });
    const page = await send(`${demoUrl}/`);
    expect(page.text).toContain('&lt;img');
    expect(page.text).not.toContain('<img');
  });
});

describe('the sandbox, where anybody may do anything', () => {
  const elsewhere = { host: 'evil.example:3001' };

  it.each<[string, string, Sent]>([
    ['read its control page', '/', {}],
    ['press its buttons', '/', { method: 'POST', headers: form, body: 'action=advance&by=month' }],
    ['read its state', '/_sandbox/state', {}],
    ['steer it', '/_sandbox/reset', { method: 'POST' }],
    ['use its API', '/v1/customers', { headers: { authorization: 'Bearer sk_test_x' } }],
  ])('lets no page of a name that was pointed at this machine %s', async (_, target, sent) => {
    const before = tollgate.sandbox.aheadMs();
    const { status, text } = await send(`${tollgate.sandbox.url}${target}`, {
      ...sent,
      headers: { ...sent.headers, ...elsewhere },
    });
    expect(status).toBe(403);
    expect(text).toContain('127.0.0.1');
    expect(tollgate.sandbox.aheadMs()).toBe(before);
  });

  it('takes no form that a page sends to its API with a key in the address', async () => {
    const authorization = `Basic ${Buffer.from('sk_test_x:').toString('base64')}`;
    const headers = { ...form, authorization, origin: 'http://evil.example' };
    const { status } = await send(`${tollgate.sandbox.url}/v1/products`, {
      method: 'POST',
      headers,
      body: 'name=evil',
    });
    expect(status).toBe(401);
    expect((await tollgate.stripe.products.list()).data).not.toContainEqual(expect.objectContaining({ name: 'evil' }));
  });

  it('answers this machine by the names that it has', async () => {
    const { port } = new URL(tollgate.sandbox.url);
    for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`]) {
      expect((await send(tollgate.sandbox.url, { headers: { host } })).status).toBe(200);
    }
  });

  it('shows names that were written as markup as text, on every page', async () => {
    const script = '<script>alert(1)</script>';
    const { secret } = tollgate;
    const product = await secret.post('/products', { name: script });
    await secret.post('/prices', {
      product: product.body.id,
      currency: 'usd',
      unit_amount: 100,
      recurring: { interval: 'month' },
      nickname: script,
      lookup_key: 'markup',
    });
    await secret.put('/customers/markup', { name: script, email: `${script.replaceAll(' ', '')}@x.example` });
    const session = await secret.post('/checkout/sessions', {
      customer_id: 'markup',
      lookup_key: 'markup',
      success_url: 'https://shop.example/"onmouseover="alert(1)',
      cancel_url: 'https://shop.example/"><script>alert(1)</script>',
    });
    expect(session.status).toBe(201);
    const checkout = await send(session.body.url);
    await send(`${session.body.url}/pay`, {
      method: 'POST',
      headers: form,
      body: 'card_number=4242424242424242&expiry=12%2F40&cvc=123&email=a%40b.example',
    });
    const portal = await secret.post('/portal/sessions', {
      customer_id: 'markup',
      return_url: 'https://shop.example/"><script>alert(1)</script>',
    });
    expect(portal.status).toBe(201);
    const pages = [checkout, await send(portal.body.url), await send(`${tollgate.sandbox.url}/`)];
    for (const { status, text } of pages) {
      expect(status).toBe(200);
      expect(text).toContain('&lt;script&gt;');
      expect(text).not.toContain('<script');
      expect(text).not.toContain('"onmouseover');
    }
  });
});

describe('the documentation', () => {
  it('holds no key, and no name that a project chose', async () => {
    await tollgate.secret.post('/features', { code: 'marked', name: '<script>alert(2)</script>', type: 'boolean' });
    for (const at of ['/openapi.json', '/docs']) {
      const { text } = await send(`${tollgate.url}${at}`);
      expect(text).not.toContain('alert(2)');
      expect(text).not.toMatch(/tg_(?:sk|pk|admin)_[A-Za-z0-9_-]{20}/);
    }
  });
});
