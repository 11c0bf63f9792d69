/** Plants each bug by itself, looks for the first seed that finds it, and runs that seed again without the bug. */
import { BUGS } from './bugs.ts';
import { Crew } from './crew.ts';
import { startCluster } from './engine/cluster.ts';
import { orderOf, type Plan, print, succeeded } from './runner.ts';
import { replayCommand, shrink, tell } from './shrink.ts';

/** @returns whether every bug was found */
export async function huntBugs(plan: Plan): Promise<boolean> {
  const cluster = await startCluster();
  const sound = new Crew(null);
  let missed = 0;
  try {
    for (const bug of BUGS.filter(({ name }) => plan.bug === null || name === plan.bug)) {
      print(`\n${bug.name}: ${bug.about}`);
      const crew = new Crew(bug.name);
      const seed = await firstFailure({ ...plan, bug: bug.name }, crew, cluster.url);
      crew.stop();
      if (seed === null) {
        missed += 1;
        print(`  NOT FOUND in ${plan.seeds.length} seeds.`);
      } else if (succeeded(await sound.run(orderOf(plan, seed, cluster.url)))) {
        print(`  Seed ${seed} passes without it.`);
      } else {
        missed += 1;
        print(`  SEED ${seed} FAILS WITHOUT IT, TOO.`);
      }
    }
  } finally {
    sound.stop();
    await cluster.stop();
  }
  print(`\n${missed === 0 ? 'Every bug was found.' : `${missed} bugs were not found.`}`);
  return missed === 0;
}

async function firstFailure(plan: Plan, crew: Crew, serverUrl: string): Promise<string | null> {
  const waiting = [...plan.seeds];
  let found: string | null = null;
  const work = async () => {
    for (let seed = waiting.shift(); seed !== undefined && found === null; seed = waiting.shift()) {
      const order = orderOf(plan, seed, serverUrl);
      const outcome = await crew.run(order);
      if (found !== null) return;
      if ('crash' in outcome) {
        print(`  Seed ${seed} crashed: ${outcome.crash}`);
        continue;
      }
      if (outcome.result.failure === null) continue;
      found = seed;
      print(`  Found at seed ${seed}: ${outcome.result.failure.invariant}`);
      const smallest = plan.shrink
        ? await shrink(crew, order, outcome.result, print)
        : { order, result: outcome.result };
      print(tell(smallest.result));
      print(`  Again: ${replayCommand(plan, smallest.order)}`);
    }
  };
  await Promise.all(Array.from({ length: plan.workers }, work));
  return found;
}
