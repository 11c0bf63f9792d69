/** Plants each bug by itself, and looks for the first seed that fails with the bug and passes without it. */
import { BUGS } from './bugs.ts';
import { Crew } from './crew.ts';
import { startCluster } from './engine/cluster.ts';
import { orderOf, type Plan, print, succeeded } from './runner.ts';
import { replayCommand, shrink, tell } from './shrink.ts';

/** @returns whether every bug was found */
export async function huntBugs(plan: Plan): Promise<boolean> {
  const cluster = await startCluster();
  const sound = new Crew(null);
  const missed: string[] = [];
  try {
    for (const bug of BUGS.filter(({ name }) => plan.bug === null || name === plan.bug)) {
      print(`\n${bug.name}: ${bug.about}`);
      const crew = new Crew(bug.name);
      if (!(await isFound({ ...plan, bug: bug.name }, { crew, sound }, cluster.url))) {
        missed.push(bug.name);
        print(`  NOT FOUND in ${plan.seeds.length} seeds.`);
      }
      crew.stop();
    }
  } finally {
    sound.stop();
    await cluster.stop();
  }
  print(`\n${missed.length === 0 ? 'Every bug was found.' : `Not found: ${missed.join(', ')}.`}`);
  return missed.length === 0;
}

async function isFound(plan: Plan, crews: { crew: Crew; sound: Crew }, serverUrl: string): Promise<boolean> {
  const waiting = [...plan.seeds];
  let found = false;
  const work = async () => {
    for (let seed = waiting.shift(); seed !== undefined && !found; seed = waiting.shift()) {
      const order = orderOf(plan, seed, serverUrl);
      const outcome = await crews.crew.run(order);
      if (found) return;
      if ('crash' in outcome) {
        print(`  Seed ${seed} crashed: ${outcome.crash}`);
        continue;
      }
      const { failure } = outcome.result;
      if (failure === null) continue;
      if (!succeeded(await crews.sound.run(orderOf(plan, seed, serverUrl)))) {
        print(`  SEED ${seed} FAILS WITHOUT IT, TOO: it says nothing of the bug.`);
        continue;
      }
      if (found) return;
      found = true;
      print(`  Found at seed ${seed}, which passes without it: ${failure.invariant}`);
      const smallest = plan.shrink
        ? await shrink(crews.crew, order, outcome.result, print)
        : { order, result: outcome.result };
      print(tell(smallest.result));
      print(`  Again: ${replayCommand(plan, smallest.order)}`);
    }
  };
  await Promise.all(Array.from({ length: plan.workers }, work));
  return found;
}
