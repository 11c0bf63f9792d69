/**
 * Kills processes of the service again and again (KILLS, 200) with SIGKILL, at work or while they come up, while customers buy, change, cancel and get their money
 * back, webhooks pour in and reconciliations run. Afterwards every event that was acknowledged has to be there, processed
 * or visibly dead, what is stored has to be what Stripe has, and a reconciliation has to find nothing.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { createStripeClient } from '../packages/server/src/stripe/connections.ts';
import { startSandbox } from '../packages/stripe-sandbox/src/index.ts';
import { ADMIN_KEY, call, embeddedConnection, freePort, MAIN, WEBHOOK_SECRET } from './service.ts';

const KILLS = Number(process.env.KILLS ?? 200);
/** Some work and some come up: now and then none is there. */
const PROCESSES = 3;
const BUYERS = 1;
const INSTALLATION = 'torture';

const dataDir = await mkdtemp(path.join(tmpdir(), 'tollgate-torture-'));
const acknowledged = new Set<string>();
const nodes: Node[] = [];
const began = performance.now();

interface Node {
  url: string;
  port: number;
  child: ChildProcess;
  ready: boolean;
  /** Resolves when it is ready, or was killed. */
  up: Promise<void>;
}

const gateway = await startGateway();
const sandbox = await startSandbox({
  webhooks: [{ url: gateway.url, secret: WEBHOOK_SECRET }],
  delivery: { retryBaseMs: 200, retryCapMs: 1_000, maxAttempts: 500, timeoutMs: 5_000, concurrency: 16 },
});
const stripe = createStripeClient({ secretKey: 'sk_test_torture0123456', apiBase: sandbox.url });
let failed = true;
try {
  // The first one makes the database; and only one that ends by itself leaves behind what it compiled.
  const first = startNode(await freePort());
  await first.up;
  first.child.kill('SIGTERM');
  await once(first.child, 'exit');
  for (let n = 0; n < PROCESSES; n++) nodes.push(startNode(await freePort()));
  await Promise.all(nodes.map(({ up }) => up));
  const shop = await openShop();
  let over = false;
  const isOver = () => over;
  const load = [
    ...Array.from({ length: BUYERS }, (_, n) => buyAndChange(shop, n, isOver)),
    reconcileAllTheTime(isOver),
  ];
  await killAgainAndAgain();
  over = true;
  await Promise.all(load);
  failed = !(await judge());
} finally {
  for (const { child } of nodes) child.kill('SIGTERM');
  await Promise.all(nodes.map(({ child }) => (child.exitCode === null ? once(child, 'exit') : null)));
  await sandbox.close();
  gateway.close();
  await rm(dataDir, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);

/** Stands where a balancer would: hands each webhook to a process that lives, and notes what was acknowledged. */
async function startGateway(): Promise<{ url: string; close(): void }> {
  let turn = 0;
  const server = createServer(async (request, response) => {
    const body = await bytesOf(request);
    const alive = nodes.filter(({ ready }) => ready);
    turn += 1;
    const node = alive[turn % alive.length];
    const answer =
      node === undefined
        ? null
        : await fetch(`${node.url}/api/v1/webhooks/stripe`, {
            method: 'POST',
            headers: {
              'content-type': 'application/json',
              'stripe-signature': String(request.headers['stripe-signature']),
            },
            body,
          }).catch(() => null);
    if (answer?.status === 200) acknowledged.add((JSON.parse(body.toString('utf8')) as { id: string }).id);
    response.writeHead(answer?.status ?? 503).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() };
}

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function startNode(port: number): Node {
  const child = spawn(process.execPath, [MAIN], {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      NODE_COMPILE_CACHE: path.join(dataDir, 'compiled'),
      HOST: '127.0.0.1',
      PORT: String(port),
      TOLLGATE_DATA_DIR: dataDir,
      TOLLGATE_ADMIN_KEY: ADMIN_KEY,
      TOLLGATE_INSTALLATION: INSTALLATION,
      LOG_LEVEL: 'fatal',
      STRIPE_SECRET_KEY: 'sk_test_torture0123456',
      STRIPE_WEBHOOK_SECRET: WEBHOOK_SECRET,
      STRIPE_API_BASE: sandbox.url,
      RECONCILE_CALLS_PER_SECOND: '0',
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const node: Node = { url: `http://127.0.0.1:${port}`, port, child, ready: false, up: Promise.resolve() };
  node.up = becomesReady(node);
  return node;
}

async function becomesReady(node: Node): Promise<void> {
  const { child, url } = node;
  while (!child.killed) {
    if (child.exitCode !== null) throw new Error(`A process ended with code ${child.exitCode} before it was ready.`);
    const answer = await fetch(`${url}/ready`).catch(() => null);
    if (answer?.status === 200 && !child.killed) {
      node.ready = true;
      return;
    }
    await sleep(50);
  }
}

interface Shop {
  projectId: string;
  monthly: string;
  life: string;
}

async function openShop(): Promise<Shop> {
  const api = `${nodes[0]?.url}/api/v1`;
  const project = await call<{ id: string; secret_key: string }>('POST', `${api}/admin/projects`, ADMIN_KEY, {
    name: 'Torture',
    slug: 'torture',
  });
  const key = project.secret_key;
  await call('POST', `${api}/features`, key, { code: 'pro', name: 'Pro', type: 'boolean' });
  const product = await call<{ id: string }>('POST', `${api}/products`, key, {
    name: 'Pro',
    features: [{ code: 'pro' }],
  });
  const price = async (more: object) => {
    const terms = { product: product.id, currency: 'usd', unit_amount: 900, ...more };
    return (await call<{ id: string }>('POST', `${api}/prices`, key, terms)).id;
  };
  return { projectId: project.id, monthly: await price({ recurring: { interval: 'month' } }), life: await price({}) };
}

/** One customer after the other, each with a subscription and a purchase, and a change of mind. */
async function buyAndChange({ projectId, monthly, life }: Shop, buyer: number, isOver: () => boolean): Promise<void> {
  for (let n = 0; !isOver(); n++) {
    const metadata = {
      tollgate_installation: INSTALLATION,
      tollgate_project: projectId,
      tollgate_customer: `u_${buyer}_${n}`,
    };
    const customer = (await stripe.customers.create({ metadata })).id;
    const common = { customer, metadata, success_url: 'http://localhost/done' };
    const plan = await stripe.checkout.sessions.create({
      ...common,
      mode: 'subscription',
      line_items: [{ price: monthly, quantity: 1 }],
      subscription_data: { metadata },
    });
    sandbox.control.payCheckout(plan.id);
    const once = await stripe.checkout.sessions.create({
      ...common,
      mode: 'payment',
      line_items: [{ price: life, quantity: 1 }],
      payment_intent_data: { metadata },
    });
    sandbox.control.payCheckout(once.id);
    const { subscription } = await stripe.checkout.sessions.retrieve(plan.id);
    const { payment_intent: payment } = await stripe.checkout.sessions.retrieve(once.id);
    await sleep(100);
    if (n % 3 === 0) await stripe.subscriptions.cancel(String(subscription));
    if (n % 3 === 1) await stripe.refunds.create({ payment_intent: String(payment) });
    if (n % 3 === 2) await stripe.subscriptions.update(String(subscription), { cancel_at_period_end: true });
    await sleep(1_500);
  }
}

async function reconcileAllTheTime(isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const alive = nodes.find(({ ready }) => ready);
    // A process that dies just then, or a run that has not ended: the next time.
    if (alive) await call('POST', `${alive.url}/api/v1/admin/reconcile`, ADMIN_KEY, {}).catch(() => {});
    await sleep(10_000);
  }
}

async function killAgainAndAgain(): Promise<void> {
  for (let kills = 1; kills <= KILLS; kills++) {
    // Somebody is at work, though not always whoever is killed.
    await Promise.any(nodes.map(({ up }) => up));
    await sleep(200 + Math.random() * 800);
    const at = Math.floor(Math.random() * PROCESSES);
    const node = nodes[at] as Node;
    node.ready = false;
    node.child.kill('SIGKILL');
    await once(node.child, 'exit');
    nodes[at] = startNode(node.port);
    const seconds = Math.round((performance.now() - began) / 1000);
    process.stderr.write(`\r${kills} of ${KILLS} kills, ${acknowledged.size} events acknowledged, ${seconds} s `);
  }
  await Promise.all(nodes.map(({ up }) => up));
}

async function judge(): Promise<boolean> {
  process.stderr.write('\nwaiting for what is under way…\n');
  await sandbox.control.settled();
  const client = new pg.Client(await embeddedConnection(dataDir));
  await client.connect();
  let statuses: Record<string, number>;
  for (;;) {
    const { rows } = await client.query<{ status: string; count: number }>(
      'select status, count(*)::int as count from tollgate.events group by 1',
    );
    statuses = Object.fromEntries(rows.map(({ status, count }) => [status, count]));
    const runs = await client.query("select from tollgate.reconciliation_runs where status in ('queued', 'running')");
    if (statuses.received === undefined && statuses.failed === undefined && runs.rows.length === 0) break;
    await sleep(1_000);
  }
  const { rows } = await client.query<{ id: string }>('select id from tollgate.events');
  const stored = new Set(rows.map(({ id }) => id));
  const lost = [...acknowledged].filter((id) => !stored.has(id));
  const facts = await client.query<{ count: number }>('select count(*)::int as count from tollgate.facts');
  await client.end();
  const found = await dryRun();
  const minutes = ((performance.now() - began) / 60_000).toFixed(1);
  process.stdout.write(
    `${KILLS} kills in ${minutes} minutes: ${acknowledged.size} events acknowledged, ${lost.length} of them lost; ` +
      `${JSON.stringify(statuses)}; ${facts.rows[0]?.count} facts; ` +
      `a reconciliation found ${found.counts.drifts} drifts in ${found.counts.in_sync} objects\n`,
  );
  for (const drift of found.drifts.slice(0, 10)) process.stdout.write(`${JSON.stringify(drift)}\n`);
  return lost.length === 0 && found.counts.drifts === 0;
}

interface Found {
  status: string;
  counts: { drifts: number; in_sync: number };
  drifts: unknown[];
}

async function dryRun(): Promise<Found> {
  const api = `${nodes[0]?.url}/api/v1/admin`;
  const { id } = await call<{ id: string }>('POST', `${api}/reconcile`, ADMIN_KEY, { dry_run: true });
  for (;;) {
    const run = await call<Found>('GET', `${api}/reconciliations/${id}`, ADMIN_KEY);
    if (run.status === 'completed' || run.status === 'failed') return run;
    await sleep(250);
  }
}
