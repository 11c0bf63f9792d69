/**
 * Webhook accepted → visible in `GET /check`, at a steady rate, through the real inbox, fetch and recompute.
 * Each customer holds a subscription whose quantity is its number of seats; a quantity is changed in the sandbox, and
 * the clock runs from the change (so Stripe's own delivery is counted too) until the check answers the new number.
 * CUSTOMERS, RATE (events a second) and DURATION (seconds) change the size of the run.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { openProject, percentile, startService } from './service.ts';
import { addSeat, buySeat, SeatWatch, type Subscriber, sellSeats, stripeOf } from './subscribers.ts';

const CUSTOMERS = Number(process.env.CUSTOMERS ?? 200);
const RATE = Number(process.env.RATE ?? 50);
const SECONDS = Number(process.env.DURATION ?? 20);

const service = await startService({ sandboxApart: true });
const api = `${service.url}/api/v1`;
const { secret_key: key } = await openProject(service.url);
const stripe = stripeOf(service);
const price = await sellSeats(api, key);

process.stdout.write(`Buying ${CUSTOMERS} subscriptions…\n`);
const bought: Subscriber[] = [];
for (let n = 0; n < CUSTOMERS; n++) bought.push(await buySeat({ api, key, price, stripe }, `u_${n}`));
const watch = new SeatWatch(api, key);
for (const { customerId } of bought) await watch.visible(customerId, 1);

process.stdout.write(`Changing ${RATE} quantities a second for ${SECONDS} s…\n`);
const running: Promise<number>[] = [];
const started = performance.now();
for (let n = 0; n < RATE * SECONDS; n++) {
  const due = started + (n * 1000) / RATE;
  await sleep(Math.max(0, due - performance.now()));
  const subscriber = bought[n % bought.length];
  if (subscriber === undefined) break;
  running.push(addSeat(stripe, watch, subscriber));
}
const delays = (await Promise.all(running)).sort((a, b) => a - b);
process.stdout.write(
  `changed in Stripe → visible: p50 ${percentile(delays, 0.5).toFixed(0)} ms, p95 ${percentile(delays, 0.95).toFixed(0)} ms, ` +
    `p99 ${percentile(delays, 0.99).toFixed(0)} ms, of ${delays.length}\n`,
);
await service.stop();
process.exit();
