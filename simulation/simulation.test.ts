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
  minutes: null,
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

/** Two at a time. @returns what went wrong, of all */
async function failuresOf(plan: Plan, first: number, last: number): Promise<string[]> {
  const failures: string[] = [];
  let next = first;
  const lane = async () => {
    while (next <= last) {
      const failure = await failureOf(plan, String(next++));
      if (failure !== null) failures.push(failure);
    }
  };
  await Promise.all([lane(), lane()]);
  return failures;
}

test('every promise is kept while nothing goes wrong', { timeout: 240_000 }, async () => {
  expect(await failuresOf({ ...PLAN, calm: true }, 101, 104)).toEqual([]);
});

test('every promise is kept while much goes wrong', { timeout: 480_000 }, async () => {
  expect(await failuresOf(PLAN, 1, 12)).toEqual([]);
});

test.each(BUGS.map((bug) => [bug.name, bug]))('the bug %s can still be planted', (_, { file, find }) => {
  const text = readFileSync(
    new URL(`..${file.startsWith('/core/') ? '/packages' : '/packages/server/src'}${file}`, import.meta.url),
    'utf8',
  );
  expect(text.split(find)).toHaveLength(2);
});
