/**
 * What a check and an event cost as the number of customers grows, in one service: after each step of SIZES the same
 * questions are asked again. Cold checks (each of a customer who was never asked about, one after the other and many at
 * once) are compared with one read by primary key, warm ones with a bare `node:http` server.
 */
import autocannon from 'autocannon';
import { type Bare, startBare, startBarePostgres } from './bare.ts';
import { copyFirst, makeFirst } from './load-customers.ts';
import { openProject, percentile, startService } from './service.ts';
import { addSeat, buySeat, SeatWatch, type Subscriber, sellSeats, stripeOf } from './subscribers.ts';

const SIZES = (process.env.SIZES ?? '1000,100000,1000000').split(',').map(Number);
const ROUNDS = Number(process.env.ROUNDS ?? 3);
const SECONDS = Number(process.env.DURATION ?? 5);
const CONNECTIONS = 32;
/** Who is asked about again and again. */
const HOT = 500;
/** Who is asked about once, one after the other; of the smallest size the rest. */
const ONE_BY_ONE = 400;
/** Who is asked about once, many at a time, in each round. */
const AT_ONCE = 9_600;
const CHANGES = 100;
const SUBSCRIBERS = 20;

const service = await startService({ sandboxApart: true });
const api = `${service.url}/api/v1`;
const { id: projectId, secret_key: key } = await openProject(service.url);
const stripe = stripeOf(service);
const price = await sellSeats(api, key);
const watch = new SeatWatch(api, key, 1);
const subscribers: Subscriber[] = [];
for (let n = 0; n < SUBSCRIBERS; n++) subscribers.push(await buySeat({ api, key, price, stripe }, `subscriber_${n}`));
for (const { customerId } of subscribers) await watch.visible(customerId, 1);

await makeFirst(service, projectId, key);
const bare = await startBare(await ask(service.url + checkOf('u_0')));
const select = await startBarePostgres(service, projectId);
await warmUp();

/** Customers below it were asked about; those of the size before it all count as asked. */
let size = 1;
for (const next of SIZES) {
  process.stdout.write(`${next.toLocaleString('en')} customers…\n`);
  await copyFirst(service, projectId, size, next);
  let fresh = size;
  const someOf = (count: number) => {
    const from = fresh;
    fresh = Math.min(next, fresh + count);
    return Array.from({ length: fresh - from }, (_, n) => `u_${from + n}`);
  };
  size = next;

  const alone = someOf(ONE_BY_ONE);
  const coldMs = await medianMs(service.url, alone.map(checkOf));
  const selectMs = await medianMs(select.url, alone.map(selectOf));
  const atOnce: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const some = someOf(AT_ONCE);
    if (some.length < AT_ONCE) break;
    const selects = await once(select.url, some.map(selectOf));
    atOnce.push((await once(service.url, some.map(checkOf))) / selects);
  }
  const hot = Array.from({ length: HOT }, (_, n) => checkOf(`u_${Math.floor((n * next) / HOT)}`));
  await once(service.url, hot);
  const warm: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const bareRate = await rateOf(bare, hot);
    warm.push((await rateOf(service, hot)) / bareRate);
  }
  const events: number[] = [];
  for (let n = 0; n < CHANGES; n++) {
    const subscriber = subscribers[n % subscribers.length];
    if (subscriber !== undefined) events.push(await addSeat(stripe, watch, subscriber));
  }
  process.stdout.write(
    `  warm check      ${median(warm).toFixed(2)} of bare node:http\n` +
      `  cold check      ${coldMs.toFixed(2)} ms alone, one select ${selectMs.toFixed(2)} ms` +
      `${atOnce.length === 0 ? '' : `; ${median(atOnce).toFixed(2)} of one select a request, ${CONNECTIONS} at once`}\n` +
      `  event → visible ${median(events).toFixed(1)} ms\n`,
  );
}
await bare.stop();
await select.stop();
await service.stop();
process.exit();

function checkOf(customerId: string): string {
  return `/api/v1/check?customer_id=${customerId}&feature=pro_export`;
}

function selectOf(customerId: string): string {
  return `/?customer_id=${customerId}`;
}

async function ask(url: string): Promise<Response> {
  const response = await fetch(url, { headers: { authorization: `Bearer ${key}` } });
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return response;
}

/** Both servers compile what they run often; a customer whom nobody knows costs the same read. */
async function warmUp(): Promise<void> {
  const nobody = Array.from({ length: AT_ONCE }, (_, n) => `nobody_${n}`);
  await once(service.url, nobody.map(checkOf));
  for (let n = 0; n < 3; n++)
    await once(
      select.url,
      Array.from({ length: AT_ONCE }, () => selectOf('u_0')),
    );
}

async function medianMs(url: string, paths: readonly string[]): Promise<number> {
  const taken: number[] = [];
  for (const path of paths) {
    const began = performance.now();
    await (await ask(url + path)).arrayBuffer();
    taken.push(performance.now() - began);
  }
  return median(taken);
}

/** Asks each question once; how many a second were answered. */
async function once(url: string, paths: readonly string[]): Promise<number> {
  const each = Math.ceil(paths.length / CONNECTIONS);
  let client = 0;
  const result = await autocannon({
    url,
    connections: CONNECTIONS,
    amount: each * CONNECTIONS,
    setupClient: (one) => {
      const from = (client * each) % paths.length;
      client += 1;
      one.setRequests(
        paths.slice(from, from + each).map((path) => ({ path, headers: { authorization: `Bearer ${key}` } })),
      );
    },
  });
  if (result.non2xx > 0 || result.errors > 0) throw new Error(`${url}: ${result.non2xx + result.errors} failed`);
  return result.requests.total / result.duration;
}

/** Asks the same questions for some seconds. */
async function rateOf({ url }: Pick<Bare, 'url'>, paths: readonly string[]): Promise<number> {
  const { requests } = await autocannon({
    url,
    connections: CONNECTIONS,
    duration: SECONDS,
    headers: { authorization: `Bearer ${key}` },
    requests: paths.map((path) => ({ path })),
  });
  return requests.average;
}

function median(samples: readonly number[]): number {
  return percentile(
    samples.toSorted((a, b) => a - b),
    0.5,
  );
}
