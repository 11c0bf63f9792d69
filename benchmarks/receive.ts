/**
 * How many webhooks a second are accepted, each signed, stored with its job and committed before it is acknowledged,
 * against a server that stores one row a request and does nothing else, while the service does what they call for. Then
 * what was acknowledged is counted in the inbox, and each has to be done with.
 * EVENTS and SUBSCRIPTIONS change the size of the run, ROUNDS how often it is repeated.
 */
import autocannon from 'autocannon';
import pg from 'pg';
import Stripe from 'stripe';
import { startBarePostgres } from './bare.ts';
import { openProject, startService, WEBHOOK_SECRET } from './service.ts';
import { buySeat, SeatWatch, sellSeats, stripeOf } from './subscribers.ts';

const EVENTS = Number(process.env.EVENTS ?? 20_000);
const SUBSCRIPTIONS = Number(process.env.SUBSCRIPTIONS ?? 100);
const ROUNDS = Number(process.env.ROUNDS ?? 3);
const CONNECTIONS = 32;

const service = await startService({ sandboxApart: true, settings: { LOG_LEVEL: 'warn' } });
const api = `${service.url}/api/v1`;
const { id: projectId, secret_key: key } = await openProject(service.url);
const stripe = stripeOf(service);
const price = await sellSeats(api, key);
const watch = new SeatWatch(api, key);
process.stdout.write(`Buying ${SUBSCRIPTIONS} subscriptions…\n`);
for (let n = 0; n < SUBSCRIPTIONS; n++) {
  await watch.visible((await buySeat({ api, key, price, stripe }, `u_${n}`)).customerId, 1);
}
const templates = await stripe.events.list({ type: 'customer.subscription.created', limit: 100 });
const database = new pg.Client(await service.database());
await database.connect();
await settled();

const bare = await startBarePostgres(service, projectId);
let failed = false;
for (let round = 1; round <= ROUNDS; round++) {
  const bodies = Array.from({ length: EVENTS }, (_, n) => eventBody(round, n));
  const stored = await load(bare.url, bodies);
  const own = await load(`${service.url}/api/v1/webhooks/stripe`, bodies);
  const drained = performance.now();
  await settled();
  const drainSeconds = (performance.now() - drained) / 1000;
  const counts = await countsOf(round);
  const ended = (counts.processed ?? 0) + (counts.ignored ?? 0);
  const rate = own.requests.total / own.duration;
  failed ||= own.non2xx > 0 || own.errors > 0 || ended !== EVENTS;
  process.stdout.write(
    `round ${round}: ${Math.round(rate).toLocaleString('en')} accepted/s, ` +
      `${(rate / (stored.requests.total / stored.duration)).toFixed(2)} of one bare insert a request ` +
      `(${Math.round(stored.requests.total / stored.duration).toLocaleString('en')}/s); ` +
      `p50 ${own.latency.p50} ms, p99 ${own.latency.p99} ms; ` +
      `${ended.toLocaleString('en')} of ${EVENTS.toLocaleString('en')} done with ${drainSeconds.toFixed(1)} s later\n`,
  );
}
await bare.stop();
await database.end();
await service.stop();
process.exit(failed ? 1 : 0);

/** An event that Stripe could send of one of the subscriptions. */
function eventBody(round: number, n: number): string {
  const template = templates.data[n % templates.data.length];
  if (template === undefined) throw new Error('The sandbox has no event to begin with.');
  return JSON.stringify({ ...template, id: `evt_bench_${round}_${n}`, type: 'customer.subscription.updated' });
}

/** Each connection sends events of its own, one after the other, as fast as they are answered. */
async function load(url: string, bodies: readonly string[]): Promise<autocannon.Result> {
  const requests = bodies.map((body) => ({
    method: 'POST' as const,
    headers: {
      'content-type': 'application/json',
      'stripe-signature': Stripe.webhooks.generateTestHeaderString({ payload: body, secret: WEBHOOK_SECRET }),
    },
    body,
  }));
  const each = Math.ceil(requests.length / CONNECTIONS);
  let client = 0;
  return await autocannon({
    url,
    method: 'POST',
    connections: CONNECTIONS,
    amount: requests.length,
    setupClient: (one) => {
      one.setRequests(requests.slice(client * each, (client + 1) * each));
      client += 1;
    },
  });
}

/** Waits until no job is left. */
async function settled(): Promise<void> {
  for (;;) {
    const { rows } = await database.query('select 1 from graphile_worker.jobs where run_at <= now() limit 1');
    if (rows.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function countsOf(round: number): Promise<Record<string, number>> {
  const { rows } = await database.query<{ status: string; count: number }>(
    'select status, count(*)::int as count from tollgate.events where id like $1 group by status',
    [`evt_bench_${round}_%`],
  );
  return Object.fromEntries(rows.map(({ status, count }) => [status, count]));
}
