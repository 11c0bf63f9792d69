import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BUGS } from './bugs.ts';
import { Crew } from './crew.ts';
import { type Cluster, startCluster } from './engine/cluster.ts';
import { orderOf, type Plan } from './runner.ts';
import { replayCommand, shrink, tell } from './shrink.ts';

const PLAN: Plan = {
  seeds: [],
  size: { customers: 3, months: 3, projects: 1, pace: 1 },
  processes: 2,
  workers: 2,
  calm: false,
  only: null,
  without: [],
  bug: null,
  trace: false,
  shrink: true,
};

let cluster: Cluster;
let crew: Crew;
beforeAll(async () => {
  cluster = await startCluster();
  crew = new Crew(null);
});
afterAll(async () => {
  crew.stop();
  await cluster.stop();
});

/** Runs a seed; one that fails is told as its smallest story. */
async function failureOf(plan: Plan, seed: string): Promise<string | null> {
  const order = orderOf(plan, seed, cluster.url);
  const outcome = await crew.run(order);
  if ('crash' in outcome) return outcome.crash;
  if (outcome.result.failure === null) return null;
  const smallest = await shrink(crew, order, outcome.result, () => {});
  return `${tell(smallest.result)}\n${replayCommand(plan, smallest.order)}`;
}

test('a seed replays exactly', { timeout: 120_000 }, async () => {
  const digests = [];
  for (const _ of [1, 2]) {
    const outcome = await crew.run(orderOf(PLAN, '1', cluster.url));
    digests.push('result' in outcome ? outcome.result.digest : outcome.crash);
  }
  expect(digests[1]).toBe(digests[0]);
});

test('every promise is kept while nothing goes wrong', { timeout: 180_000 }, async () => {
  for (const seed of ['101', '102', '103']) expect(await failureOf({ ...PLAN, calm: true }, seed)).toBeNull();
});

test('every promise is kept while much goes wrong', { timeout: 240_000 }, async () => {
  for (const seed of ['1', '2', '3', '4']) expect(await failureOf(PLAN, seed)).toBeNull();
});

test.each(BUGS.map((bug) => [bug.name, bug]))('the bug %s can still be planted', (_, { file, find }) => {
  const text = readFileSync(
    new URL(`..${file.startsWith('/core/') ? '/packages' : '/packages/server/src'}${file}`, import.meta.url),
    'utf8',
  );
  expect(text.split(find)).toHaveLength(2);
});
