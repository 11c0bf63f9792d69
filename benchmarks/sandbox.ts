/**
 * The sandbox alone: start, creating and advancing many subscriptions, single calls, and pages of a long list. It runs
 * as a process of its own; the official client calls it from this one. Beside each figure stands how much processor time
 * the sandbox and the client took, as both share the machine. SIZE (customers) and CALLS change the size of the run.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import Stripe from 'stripe';
import { startSandbox } from '../packages/stripe-sandbox/src/index.ts';
import { end, percentile } from './service.ts';

const SIZE = Number(process.env.SIZE ?? 10_000);
const CALLS = Number(process.env.CALLS ?? 6_000);
const STARTS = Number(process.env.ROUNDS ?? 5);
const CONCURRENCY = 16;
const MAIN = path.resolve(import.meta.dirname, '../packages/stripe-sandbox', process.env.MAIN ?? 'src/main.ts');
/** Processor time in `/proc` is counted in hundredths of a second. */
const TICK_MS = 10;

interface RunningSandbox {
  child: ChildProcess;
  url: URL;
  startMs: number;
}

async function start(): Promise<RunningSandbox> {
  const began = performance.now();
  const child = spawn(process.execPath, [...(process.env.NODE_FLAGS?.split(' ') ?? []), MAIN, '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.once('exit', () => child.kill('SIGTERM'));
  const said = await new Promise<string>((resolve) => child.stdout.once('data', (text) => resolve(String(text))));
  const url = new URL(/http:\S+/.exec(said)?.[0] ?? '');
  await (await fetch(new URL('/_sandbox/state', url))).text();
  return { child, url, startMs: performance.now() - began };
}

async function cpuMs(child: ChildProcess): Promise<number> {
  const fields = (await readFile(`/proc/${child.pid}/stat`, 'utf8')).replace(/^.*\) /s, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

async function residentMb(child: ChildProcess): Promise<number> {
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
}

/** Does something `count` times, so many at a time. */
async function times(count: number, work: (n: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const n = next;
      next += 1;
      await work(n);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
}

function tell(what: string, figure: string): void {
  process.stdout.write(`${what.padEnd(58)}${figure}\n`);
}

function median(samples: number[]): number {
  return percentile(
    samples.toSorted((a, b) => a - b),
    0.5,
  );
}

/** Runs something, and says how long it took and whose processor time that was. */
async function measured(child: ChildProcess, run: () => Promise<unknown>) {
  const [mine, its, began] = [process.cpuUsage(), await cpuMs(child), performance.now()];
  await run();
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(mine);
  const [sandbox, client] = [((await cpuMs(child)) - its) / 1000, (user + system) / 1e6];
  const shares = `sandbox ${sandbox.toFixed(1)} s and client ${client.toFixed(1)} s of processor`;
  return { seconds, shares };
}

const starts: number[] = [];
for (let round = 0; round < STARTS; round++) {
  const { child, startMs } = await start();
  starts.push(startMs);
  await end(child);
}
tell(
  'start, from spawn to an answer',
  `${median(starts).toFixed(0)} ms (${starts.map((ms) => ms.toFixed(0)).join(', ')})`,
);
const began = performance.now();
await (await startSandbox()).close();
tell('start inside a program', `${(performance.now() - began).toFixed(0)} ms`);

const { child, url } = await start();
const stripe = new Stripe('sk_test_benchmark', {
  protocol: 'http',
  host: url.hostname,
  port: Number(url.port),
  telemetry: false,
  maxNetworkRetries: 0,
});
const price = await stripe.prices.create({
  currency: 'usd',
  unit_amount: 1200,
  recurring: { interval: 'month' },
  product_data: { name: 'Pro' },
});
await stripe.coupons.create({ id: 'QUARTER', percent_off: 25, duration: 'forever' });

const customers: string[] = [];
const created = await measured(child, () =>
  times(SIZE, async (n) => {
    const customer = await stripe.customers.create({
      email: `customer-${n}@example.com`,
      payment_method: 'pm_card_visa',
      invoice_settings: { default_payment_method: 'pm_card_visa' },
    });
    customers.push(customer.id);
    await stripe.subscriptions.create({
      customer: customer.id,
      items: [{ price: price.id }],
      ...(n % 10 === 0 ? { discounts: [{ coupon: 'QUARTER' }] } : {}),
    });
  }),
);
tell(`${SIZE} customers, each with a subscription`, `${created.seconds.toFixed(1)} s (${created.shares})`);
tell('memory after that', `${(await residentMb(child)).toFixed(0)} MB`);

const called = await measured(child, () =>
  times(CALLS, async (n) => {
    const id = customers[(n * 7919) % customers.length] ?? '';
    if (n % 3 === 0) await stripe.customers.retrieve(id);
    else if (n % 3 === 1) await stripe.subscriptions.list({ customer: id });
    else await stripe.customers.create({ email: `caller-${n}@example.com` });
  }),
);
tell('calls: retrieve, list, create in turn', `${(CALLS / called.seconds).toFixed(0)} a second (${called.shares})`);

const pages: number[] = [];
const listed = await measured(child, async () => {
  for (let after: string | undefined, more = true; more; ) {
    const asked = performance.now();
    const page: Stripe.ApiList<Stripe.Subscription> = await stripe.subscriptions.list({
      status: 'all',
      limit: 100,
      expand: ['data.customer', 'data.discounts.source.coupon'],
      ...(after === undefined ? {} : { starting_after: after }),
    });
    pages.push(performance.now() - asked);
    more = page.has_more;
    after = page.data.at(-1)?.id;
  }
});
const tenth = Math.max(1, Math.floor(pages.length / 10));
tell(
  'pages of 100 subscriptions with customer and discounts',
  `median ${median(pages).toFixed(1)} ms, first tenth ${median(pages.slice(0, tenth)).toFixed(1)}, last tenth ${median(pages.slice(-tenth)).toFixed(1)} (${listed.shares})`,
);

const advanced = await measured(child, async () => {
  const response = await fetch(new URL('/_sandbox/advance', url), { method: 'POST', body: '{"days":31}' });
  if (!response.ok) throw new Error(await response.text());
});
tell(`${SIZE} subscriptions advanced by a month`, `${advanced.seconds.toFixed(1)} s (${advanced.shares})`);
tell('memory at the end', `${(await residentMb(child)).toFixed(0)} MB`);
await end(child);
