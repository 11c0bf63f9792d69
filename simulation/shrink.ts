/** Makes a failing story as small as it gets, and tells it. */
import type { Crew } from './crew.ts';
import type { SeedResult } from './run-seed.ts';
import type { Order } from './worker.ts';

export interface Smallest {
  order: Order;
  result: SeedResult;
}

/** Runs that a search may take: each is shorter than the one before. */
const MOST_RUNS = 120;
const MOST_LINES = 60;
const SIGN_OF_LIFE_EVERY_MS = 30_000;

/**
 * Leaves out operations and troubles for as long as the same promise is still broken (delta debugging: halves, quarters,
 * … and in the end one by one). The order of steps keeps following from the seed.
 */
export async function shrink(
  crew: Crew,
  order: Order,
  failed: SeedResult,
  say: (line: string) => void,
): Promise<Smallest> {
  let best: Smallest = { order, result: failed };
  let runs = 0;
  const invariant = failed.failure?.invariant;
  const sizeOf = ({ operations, troubles }: SeedResult) =>
    `${operations.length} operations, ${troubles.length} troubles`;
  const signOfLife = setInterval(
    () => say(`Making seed ${order.seed} smaller, run ${runs} of ${MOST_RUNS} at most: ${sizeOf(best.result)}`),
    SIGN_OF_LIFE_EVERY_MS,
  ).unref();
  const tryOut = async (candidate: Order): Promise<boolean> => {
    if (runs >= MOST_RUNS) return false;
    runs += 1;
    const outcome = await crew.run(candidate);
    if (!('result' in outcome) || outcome.result.failure?.invariant !== invariant) return false;
    best = { order: candidate, result: outcome.result };
    return true;
  };

  say(`Making it smaller: ${sizeOf(failed)}.`);
  await reduce(failed.operations, (kept) => tryOut({ ...best.order, only: [...kept] }));
  const without = [...order.without];
  await reduce(best.result.troubles, (kept) => {
    const dropped = best.result.troubles.filter((name) => !kept.includes(name));
    return tryOut({ ...best.order, without: [...new Set([...without, ...best.order.without, ...dropped])] });
  });
  await reduce(best.result.operations, (kept) => tryOut({ ...best.order, only: [...kept] }));
  clearInterval(signOfLife);
  say(`Made smaller in ${runs} runs: ${sizeOf(best.result)}.`);
  return best;
}

/** ddmin over complements: tries to go on without each part, in ever smaller parts. */
async function reduce<T>(all: readonly T[], fails: (kept: readonly T[]) => Promise<boolean>): Promise<void> {
  let kept = [...all];
  for (let parts = 2; kept.length > 0; ) {
    const size = Math.ceil(kept.length / parts);
    let smaller = false;
    for (let from = 0; from < kept.length; from += size) {
      const rest = [...kept.slice(0, from), ...kept.slice(from + size)];
      if (!(await fails(rest))) continue;
      kept = rest;
      smaller = true;
      break;
    }
    if (smaller) parts = Math.max(2, parts - 1);
    else if (size <= 1) return;
    else parts = Math.min(kept.length, parts * 2);
  }
}

/** The story of a failure, in words. */
export function tell({ failure, story }: SeedResult): string {
  const lines = story.slice(-MOST_LINES).map(({ at, what }) => `  ${new Date(at).toISOString()}  ${what}`);
  if (story.length > MOST_LINES) lines.unshift(`  … ${story.length - MOST_LINES} lines before`);
  if (failure !== null) {
    lines.push(
      `  ${new Date(failure.at).toISOString()}  BROKEN (${failure.invariant}): ${failure.message.slice(0, 4_000)}`,
    );
  }
  return lines.join('\n');
}

export function replayCommand(plan: { bug: string | null; calm: boolean }, order: Order): string {
  const { customers, months, projects, pace } = order.size;
  const options = [
    `--customers ${customers} --months ${months} --projects ${projects} --pace ${pace} --processes ${order.processes}`,
    plan.calm ? '--calm' : '',
    plan.bug === null ? '' : `--bug ${plan.bug}`,
    order.only === null ? '' : `--only ${order.only.join(',') || '0'}`,
    order.without.length === 0 ? '' : `--without ${order.without.join(',')}`,
  ];
  return `node simulation/main.ts ${order.seed} ${options.filter(Boolean).join(' ')}`;
}
