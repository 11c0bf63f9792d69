/**
 * Webhook accepted → visible in `GET /check`, at a steady rate, through the real inbox, fetch and recompute.
 * Each customer holds a subscription whose quantity is its number of seats; a quantity is changed in the sandbox, and
 * the clock runs from the change (so Stripe's own delivery is counted too) until the check answers the new number.
 * CUSTOMERS, RATE (events a second) and DURATION (seconds) change the size of the run.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import Stripe from 'stripe';
import { call, openProject, percentile, startService } from './service.ts';

const CUSTOMERS = Number(process.env.CUSTOMERS ?? 200);
const RATE = Number(process.env.RATE ?? 50);
const SECONDS = Number(process.env.DURATION ?? 20);

const service = await startService({ sandboxApart: true });
const api = `${service.url}/api/v1`;
const project = await openProject(service.url);
const key = project.secret_key;
const sandbox = new URL(service.sandboxUrl);
const stripe = new Stripe('sk_test_benchmark0123', {
  protocol: 'http',
  host: sandbox.hostname,
  port: Number(sandbox.port),
});

await call('POST', `${api}/features`, key, { code: 'seats', name: 'Seats', type: 'limit' });
const product = await call<{ id: string }>('POST', `${api}/products`, key, {
  name: 'Team',
  features: [{ code: 'seats', value: 1, per_unit: true }],
});
const price = await call<{ id: string }>('POST', `${api}/prices`, key, {
  product: product.id,
  currency: 'usd',
  unit_amount: 500,
  recurring: { interval: 'month' },
});

process.stdout.write(`Buying ${CUSTOMERS} subscriptions…\n`);
interface Waiting {
  customerId: string;
  seats: number;
  resolve: () => void;
}
const waiting = new Set<Waiting>();

const bought: { customerId: string; itemId: string; quantity: number }[] = [];
for (let n = 0; n < CUSTOMERS; n++) {
  const customerId = `u_${n}`;
  const session = await call<{ id: string; url: string }>('POST', `${api}/checkout/sessions`, key, {
    customer_id: customerId,
    price: price.id,
    success_url: 'http://127.0.0.1/done',
    cancel_url: 'http://127.0.0.1/back',
  });
  await fetch(`${session.url}/pay`, {
    method: 'POST',
    redirect: 'manual',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'card_number=4242424242424242',
  });
  const paid = await stripe.checkout.sessions.retrieve(session.id, { expand: ['subscription'] });
  const subscription = paid.subscription as Stripe.Subscription;
  bought.push({ customerId, itemId: subscription.items.data[0]?.id ?? '', quantity: 1 });
}
look().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exit(1);
});
for (const { customerId } of bought) await visible(customerId, 1);

process.stdout.write(`Changing ${RATE} quantities a second for ${SECONDS} s…\n`);
const delays: number[] = [];
const running: Promise<void>[] = [];
const started = performance.now();
for (let n = 0; n < RATE * SECONDS; n++) {
  const due = started + (n * 1000) / RATE;
  await sleep(Math.max(0, due - performance.now()));
  const customer = bought[n % bought.length];
  if (customer === undefined) break;
  customer.quantity += 1;
  running.push(change(customer.customerId, customer.itemId, customer.quantity));
}
await Promise.all(running);
delays.sort((a, b) => a - b);
process.stdout.write(
  `changed in Stripe → visible: p50 ${percentile(delays, 0.5).toFixed(0)} ms, p95 ${percentile(delays, 0.95).toFixed(0)} ms, ` +
    `p99 ${percentile(delays, 0.99).toFixed(0)} ms, of ${delays.length}\n`,
);
await service.stop();
process.exit();

async function change(customerId: string, itemId: string, quantity: number): Promise<void> {
  await stripe.subscriptionItems.update(itemId, { quantity });
  const changed = performance.now();
  await visible(customerId, quantity);
  delays.push(performance.now() - changed);
}

/** Resolves when the check answers the number of seats, or more. */
function visible(customerId: string, seats: number): Promise<void> {
  return new Promise((resolve) => waiting.add({ customerId, seats, resolve }));
}

/** One question for everyone who waits, a hundred times a second: asking must not be the load that is measured. */
async function look(): Promise<void> {
  for (;;) {
    await sleep(10);
    const asked = [...waiting].slice(0, 100);
    if (asked.length === 0) continue;
    const checks = asked.map(({ customerId }) => ({ customer_id: customerId, feature: 'seats' }));
    const { data } = await call<{ data: { value: number | null }[] }>('POST', `${api}/check`, key, { checks });
    for (const [at, one] of asked.entries()) {
      if ((data[at]?.value ?? 0) < one.seats) continue;
      waiting.delete(one);
      one.resolve();
    }
  }
}
