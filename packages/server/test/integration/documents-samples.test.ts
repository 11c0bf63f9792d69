/** The samples of the documents, saved and run as a reader would. */
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { blocks, type Document, documents, ROOT } from '../support/documents.ts';
import { ADMIN_KEY } from '../support/http.ts';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

const run = promisify(execFile);
let tollgate: Tollgate;
let folder: string;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  tollgate = await startTollgate();
  folder = await mkdtemp(path.join(tmpdir(), 'tollgate-samples-'));
  await writeFile(path.join(folder, 'package.json'), '{"type": "module"}');
  const { PATH } = process.env;
  env = { PATH, TOLLGATE_URL: tollgate.url, TOLLGATE_SECRET_KEY: tollgate.secret.key ?? '' };
});
afterAll(async () => {
  await tollgate.close();
  await rm(folder, { recursive: true, force: true });
});

function named(name: string): Document {
  const found = documents().find((document) => document.name === name);
  if (found === undefined) throw new Error(`There is no ${name}.`);
  return found;
}

async function bash(script: string): Promise<string> {
  return (await run('bash', ['-euo', 'pipefail', '-c', script], { cwd: folder, env })).stdout;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Pays as a browser does. @returns where it is sent then */
async function pay(checkoutUrl: string): Promise<string> {
  const body = new URLSearchParams({ card_number: '4242424242424242' });
  const paid = await fetch(`${checkoutUrl}/pay`, { method: 'POST', body, redirect: 'manual' });
  expect(paid.status).toBe(303);
  return paid.headers.get('location') ?? '';
}

describe("the README's first integration", () => {
  test('sells, and knows who bought', async () => {
    const { secret } = tollgate;
    await secret.post('/features', { code: 'pro_export', name: 'Export', type: 'boolean' });
    const { body: product } = await secret.post('/products', { name: 'Pro', features: [{ code: 'pro_export' }] });
    const monthly = { currency: 'usd', unit_amount: 1200, recurring: { interval: 'month' } };
    await secret.post('/prices', { product: product.id, ...monthly, lookup_key: 'pro_monthly' });
    const [sample = ''] = blocks(named('README.md'), 'ts');
    expect(sample.split('\n').length).toBeLessThanOrEqual(12);
    await writeFile(path.join(folder, 'first.ts'), sample);

    const before = await run(process.execPath, ['first.ts'], { cwd: folder, env });
    expect(before.stdout).toMatch(/^Buy at http\S+\n$/);
    await pay(/Buy at (\S+)/.exec(before.stdout)?.[1] ?? '');
    await tollgate.until(async () => (await secret.get('/check?customer_id=u_42&feature=pro_export')).body.entitled);
    const after = await run(process.execPath, ['first.ts'], { cwd: folder, env });
    expect(after.stdout).toBe('u_42 may export.\n');
    const wrongKey = { ...env, TOLLGATE_SECRET_KEY: 'tg_sk_wrong' };
    await expect(run(process.execPath, ['first.ts'], { cwd: folder, env: wrongKey })).rejects.toThrow('unauthorized');
    const [shell = ''] = blocks(named('README.md'), 'sh');
    expect(JSON.parse(await bash(shell))).toMatchObject({ object: 'decision', entitled: true });
  });
});

describe('docs/adopt.md', () => {
  test('takes over a business with years in Stripe, and proves it', async () => {
    const { stripe, admin } = tollgate;
    const product = await stripe.products.create({ id: 'prod_of_notes', name: 'Notes' });
    const recurring = { interval: 'month' } as const;
    const price = await stripe.prices.create({ product: product.id, currency: 'eur', unit_amount: 900, recurring });
    const customer = await stripe.customers.create({ metadata: { user_id: 'u_7' } });
    const card = await stripe.paymentMethods.attach('pm_card_visa', { customer: customer.id });
    const items = [{ price: price.id }];
    await stripe.subscriptions.create({ customer: customer.id, items, default_payment_method: card.id });

    env = { ...env, TOLLGATE_ADMIN_KEY: ADMIN_KEY, TOLLGATE_FOLDER: ROOT };
    const outputs: string[] = [];
    for (const shell of blocks(named('docs/adopt.md'), 'sh')) outputs.push(await bash(shell));
    const [, dry = '', imported = '', proof = ''] = outputs;
    expect(dry).toContain('"status":"completed"');
    expect(dry).toContain('"entitled":[{"feature":"pro_export","customers":1}]');
    expect(dry).toContain('"customer_id":"u_7"');
    expect(imported).toContain('pro_export: 1 customers are entitled');
    expect(proof).toContain('"status":"completed"');
    expect(proof).toContain('"drifts":0');
    const { body } = await admin.get('/admin/projects');
    const project = body.data.find(({ slug }: { slug: string }) => slug === 'notes');
    const check = await admin.get(`/check?project_id=${project.id}&customer_id=u_7&feature=pro_export`);
    expect(check.body.entitled).toBe(true);
  });
});

describe('docs/integrate.md', () => {
  test('builds an app that sells, lets in and leads to the portal', async () => {
    const guide = named('docs/integrate.md');
    const port = await freePort();
    const shells = blocks(guide, 'sh');
    // The first names the reader's own address and key; the last starts the app.
    const setUp = shells.filter((shell) => !shell.includes('export TOLLGATE') && !shell.startsWith('node '));
    for (const shell of setUp) expect(await bash(shell)).not.toMatch(/"code":"[a-z_]+","request_id"|"status":4\d\d/);
    for (const sample of blocks(guide, 'ts')) {
      const name = /^\/\/ ([\w-]+\.ts)\n/.exec(sample)?.[1];
      if (name === undefined) throw new Error(`A sample does not say where it is saved:\n${sample}`);
      await writeFile(path.join(folder, name), sample.replaceAll('8080', String(port)));
    }

    const app = spawn(process.execPath, ['app.ts'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await new Promise((resolve) => app.stdout.once('data', resolve));
      const at = (where: string) => fetch(`http://127.0.0.1:${port}${where}`, { redirect: 'manual' });
      expect(await (await at('/')).text()).toContain('No PDFs yet');
      const checkout = (await at('/buy')).headers.get('location') ?? '';
      const back = new URL(await pay(checkout));
      expect(await (await at(back.pathname + back.search)).text()).toBe('welcome');
      expect(await (await at('/')).text()).toMatch(/^25 \w+, and PDFs\./);
      expect((await at('/buy')).headers.get('location')).toBe('/account');
      expect((await at('/account')).headers.get('location')).toMatch(/^http/);
    } finally {
      app.kill();
    }
  });
});

describe('docs/notices.md', () => {
  test('receives what changed, and verifies who says so', async () => {
    const notices = named('docs/notices.md');
    const [sample = ''] = blocks(notices, 'ts');
    // Beside the installed packages, as an app has them.
    const file = path.join(import.meta.dirname, `../support/.notices-sample-${process.pid}.ts`);
    await writeFile(file, sample);
    const port = String(await freePort());
    const [create = ''] = blocks(notices, 'sh');
    env = { ...env, PORT: port };
    const { signing_secret } = JSON.parse(await bash(create));
    const app = spawn(process.execPath, [file], { env: { ...env, SIGNING_SECRET: signing_secret } });
    try {
      let told = '';
      app.stdout.on('data', (text) => {
        told += text;
      });
      const about = { project_id: tollgate.project.id, customer_id: 'u_told', reason: 'a sample' };
      await tollgate.secret.post('/features', { code: 'told', name: 'Told', type: 'boolean' });
      await tollgate.admin.post('/admin/grant', { ...about, feature: 'told' });
      await tollgate.until(() => told.includes('u_told told\n'), 20_000);
      await tollgate.admin.post('/admin/revoke', { ...about, feature: 'told' });
      await tollgate.until(() => told.includes('u_told nothing\n'), 20_000);
    } finally {
      app.kill();
      await rm(file, { force: true });
    }
  });
});
