/**
 * Warm reads against a bare `node:http` server that sends the same bytes, and the latency of both in an open loop.
 * 100,000 customers with three features each; who is asked for follows Zipf's law.
 * CUSTOMERS, DURATION (seconds) and ROUNDS change the size of the run.
 */
import autocannon from 'autocannon';
import { startBare } from './bare.ts';
import { loadCustomers } from './load-customers.ts';
import { type OpenLoopResult, openLoop } from './open-loop.ts';
import { call, openProject, percentile, startService, zipf } from './service.ts';

const CUSTOMERS = Number(process.env.CUSTOMERS ?? 100_000);
const SECONDS = Number(process.env.DURATION ?? 8);
const ROUNDS = Number(process.env.ROUNDS ?? 3);
const CONNECTIONS = 32;

const service = await startService();
const idleMb = await service.residentMb();
const project = await openProject(service.url);
const key = project.secret_key;
process.stdout.write(`Loading ${CUSTOMERS.toLocaleString('en')} customers…\n`);
await loadCustomers(service, project.id, key, CUSTOMERS);

// One pass over everyone, so that what follows is warm and memory is that of a full cache.
process.stdout.write('Filling the cache…\n');
for (let at = 0; at < CUSTOMERS; at += 100) {
  const checks = Array.from({ length: Math.min(100, CUSTOMERS - at) }, (_, i) => ({
    customer_id: `u_${at + i}`,
    feature: 'pro_export',
  }));
  await call('POST', `${service.url}/api/v1/check`, key, { checks });
}
const fullMb = await service.residentMb();

const draw = zipf(CUSTOMERS, 42);
const paths = {
  check: () => `/api/v1/check?customer_id=u_${draw()}&feature=pro_export`,
  entitlements: () => `/api/v1/entitlements?customer_id=u_${draw()}`,
};

const results: string[] = [];
for (const [name, pathOf] of Object.entries(paths)) {
  const sample = await fetch(service.url + pathOf(), { headers: { authorization: `Bearer ${key}` } });
  const bare = await startBare(sample);
  const ratios: number[] = [];
  let rate = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const bareRate = (await load(bare.url, pathOf)).requests.average;
    rate = (await load(service.url, pathOf)).requests.average;
    ratios.push(rate / bareRate);
  }
  ratios.sort((a, b) => a - b);
  const median = ratios[Math.floor(ratios.length / 2)] ?? Number.NaN;
  const paced = { key, pathOf, perSecond: 5000, seconds: SECONDS, connections: CONNECTIONS };
  const barePaced = await openLoop({ ...paced, url: bare.url });
  const ownPaced = await openLoop({ ...paced, url: service.url });
  results.push(
    `${name.padEnd(13)} ${median.toFixed(2)} of bare node:http (${ratios.map((r) => r.toFixed(2)).join(', ')}), ` +
      `${Math.round(rate).toLocaleString('en')}/s\n` +
      `  at 5,000/s: ${latencyWords(ownPaced)}; bare: ${latencyWords(barePaced)}`,
  );
  await bare.stop();
}
const loadedMb = await service.residentMb();
process.stdout.write(`\n${results.join('\n')}\n`);
process.stdout.write(
  `memory        ${idleMb.toFixed(0)} MB idle, ${fullMb.toFixed(0)} MB with the cache full, ${loadedMb.toFixed(0)} MB after load\n`,
);
await service.stop();

function latencyWords({ latencies, failures }: OpenLoopResult): string {
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map((share) => percentile(latencies, share).toFixed(1));
  return `p50 ${p50} ms, p95 ${p95} ms, p99 ${p99} ms, ${failures} failures`;
}

/** Closed loop at full speed. */
function load(url: string, pathOf: () => string): Promise<autocannon.Result> {
  const requests = Array.from({ length: 2_000 }, () => ({ path: pathOf() }));
  return autocannon({
    url,
    connections: CONNECTIONS,
    duration: SECONDS,
    headers: { authorization: `Bearer ${key}` },
    requests,
  });
}
