/** One seed: a universe, a story in it, and the promises that are checked all along. */
import { askAgain, type Given, lookAhead, lookAtRest, lookInPassing } from './check/answers.ts';
import { followersKnow } from './check/followers.ts';
import {
  auditHolds,
  endsAreFinal,
  eventsHaveEnded,
  nothingTwice,
  reconcile,
  revenueAddsUp,
  versionsGrowByOne,
} from './check/records.ts';
import { Violation } from './check/violation.ts';
import { NO_TROUBLE, troublesOf } from './engine/chaos.ts';
import { SimulationError } from './engine/scheduler.ts';
import { Universe } from './engine/universe.ts';
import { Ledger } from './model/ledger.ts';
import { perform } from './story/perform.ts';
import { FEATURE_CODES, type Stage, setUpStage } from './story/stage.ts';
import { makeStory, type Operation, type Size } from './story/story.ts';
import { ask } from './virtual/pg.ts';
import { Random } from './virtual/random.ts';

export interface SeedOptions {
  seed: string;
  size: Size;
  databaseUrl: string;
  /** Nothing goes wrong. */
  calm: boolean;
  processes: number;
  /** Only these operations happen; null: all. */
  only: ReadonlySet<number> | null;
  /** Single troubles that do not happen. */
  without: ReadonlySet<string>;
  /** Shows every step. */
  trace?: ((line: string) => void) | undefined;
  logLevel?: string | undefined;
}

export interface SeedResult {
  failure: { invariant: string; message: string; at: number } | null;
  /** What happened, in words, in order. */
  story: { at: number; what: string }[];
  /** The operations that did something, and the troubles that struck. */
  operations: number[];
  troubles: string[];
  customerMonths: number;
  steps: number;
  /** Milliseconds of processor time of this process, without PostgreSQL's. */
  processorMs: number;
  /** Of all answers and steps: two runs with the same digest were the same. */
  digest: string;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** How far ahead is asked. */
const AHEAD = [1_000, HOUR, DAY, 4 * DAY, 8 * DAY, 20 * DAY, 45 * DAY];
/** After the one most of what was set off has arrived, and caches keep what they have for longer; after the other slow answers, too. */
const SOON_MS = [5_000, 45_000];
/** Answers that are asked for again later. */
const KEPT_ANSWERS = 400;

export async function runSeed(options: SeedOptions): Promise<SeedResult> {
  const startedAt = process.cpuUsage();
  const story = makeStory(options.seed, options.size);
  const operations = story.operations.filter(({ id }) => options.only === null || options.only.has(id));
  const told: SeedResult['story'] = [];
  const done: number[] = [];
  let ledger: Ledger | undefined;
  const universe = await Universe.open({
    ...options,
    startsAt: story.startsAt,
    troubles: options.calm ? NO_TROUBLE : troublesOf(options.seed),
    // Small pages, so that a small world has several of them.
    pageSize: Math.min(100, Math.max(2, Math.ceil(options.size.customers / 4))),
    readsAreSteps: new Random(`${options.seed}/reads`).chance(0.15),
    watch: {
      happened: (event) => ledger?.happened(event),
      lost: (event) => ledger?.lost(event),
      acknowledged: (event) => ledger?.acknowledgedEvent(event),
    },
  });
  ledger = new Ledger(universe.world);
  let failure: SeedResult['failure'] = null;
  try {
    const stage = await setUpStage(universe, ledger, story);
    await universe.settle();
    await live(stage, operations, (operation, what) => {
      done.push(operation.id);
      told.push({ at: universe.now, what: `customer ${operation.customer} ${what} [${operation.id}]` });
    });
  } catch (error) {
    if (!(error instanceof Violation) && !(error instanceof SimulationError)) throw error;
    const invariant = error instanceof Violation ? error.invariant : 'simulation';
    failure = { invariant, message: error.message, at: universe.now };
  } finally {
    await universe.close();
  }
  const troubles = universe.chaos.happened.map(({ at, name, what }) => ({ at, what: `  trouble ${name}: ${what}` }));
  const used = process.cpuUsage(startedAt);
  return {
    failure,
    story: [...told, ...troubles].sort((a, b) => a.at - b.at),
    operations: done,
    troubles: universe.chaos.happened.map(({ name }) => name),
    customerMonths: story.customerMonths,
    steps: universe.scheduler.steps,
    processorMs: Math.round((used.user + used.system) / 1_000),
    digest: universe.digest(),
  };
}

async function live(
  stage: Stage,
  operations: readonly Operation[],
  tell: (operation: Operation, what: string) => void,
) {
  const { universe, story } = stage;
  const random = new Random(`${story.seed}/looks`);
  const given: Given[] = [];
  const waiting = [...operations];
  const acts = new Acts(stage, tell);
  universe.chaos.enabled = true;
  for (const calm of story.calms) {
    while ((waiting[0]?.at ?? Number.POSITIVE_INFINITY) < calm) {
      const together = [waiting.shift() as Operation];
      while ((waiting[0]?.at ?? Number.POSITIVE_INFINITY) <= (together[0] as Operation).at + 2_000) {
        together.push(waiting.shift() as Operation);
      }
      await universe.scheduler.runUntil((together[0] as Operation).at);
      if (universe.atRest) {
        stage.ledger.atRest();
        given.push(...(await universe.scheduler.runFor(lookAtRest(stage, random.below(story.customers), undefined))));
      }
      const looks = Array.from({ length: 2 }, () =>
        lookInPassing(
          stage,
          random.chance(0.7) ? (together[0] as Operation).customer : random.below(story.customers),
          random.pick(FEATURE_CODES),
        ),
      );
      for (const operation of together) acts.begin(operation);
      await universe.scheduler.runFor(Promise.all(looks));
      if (random.chance(0.5))
        await lookSoon(
          stage,
          together.map(({ customer }) => customer),
          given,
          random,
        );
    }
    await universe.scheduler.runUntil(calm);
    await universe.scheduler.runFor(acts.end());
    await comeToRest(stage, given, random);
  }
}

/** What people are doing: nobody waits for somebody else's answer, nor for an own one before the next thing. */
class Acts {
  readonly #stage: Stage;
  readonly #tell: (operation: Operation, what: string) => void;
  readonly #underWay = new Set<Promise<void>>();

  constructor(stage: Stage, tell: (operation: Operation, what: string) => void) {
    this.#stage = stage;
    this.#tell = tell;
  }

  begin(operation: Operation): void {
    const { ledger, people, universe } = this.#stage;
    ledger.happenedTo((people[operation.customer] as Stage['people'][number]).person);
    const act = perform(this.#stage, operation)
      .then((what) => {
        if (what !== null) this.#tell(operation, what);
      })
      .catch((error: unknown) => universe.scheduler.fail(error as Error))
      .finally(() => this.#underWay.delete(act));
    this.#underWay.add(act);
  }

  async end(): Promise<void> {
    await Promise.all(this.#underWay);
  }
}

/** A moment later, if the service has done its work by then: every process has to know. */
async function lookSoon(stage: Stage, customers: readonly number[], given: Given[], random: Random): Promise<void> {
  const { universe, ledger } = stage;
  await universe.scheduler.runUntil(universe.now + random.pick(SOON_MS));
  if (!universe.atRest) return;
  ledger.atRest();
  for (const process of [...universe.processes]) {
    for (const customer of new Set(customers)) {
      given.push(...(await universe.scheduler.runFor(lookAtRest(stage, customer, process))));
    }
  }
  for (const customer of new Set(customers)) {
    const ahead = random.pick(AHEAD);
    await universe.scheduler.runFor(lookAhead(stage, customer, random.pick(FEATURE_CODES), ahead));
  }
}

/** Everything arrives and every job is done; then there is one right answer to every question. */
async function comeToRest(stage: Stage, given: Given[], random: Random): Promise<void> {
  const { universe, ledger, people } = stage;
  const { scheduler } = universe;
  await universe.settle();
  // As the database does it by itself elsewhere, at times of its own: what was planned for empty tables is planned anew.
  await ask('vacuum (analyze)');
  ledger.atRest();
  // Of the others only time can have changed what they may: they are asked less, and each still at every rest.
  const everybody = people.map((_, number) => number);
  const moved = new Set(
    everybody.filter((number) => ledger.hasMoved((people[number] as Stage['people'][number]).person)),
  );
  ledger.everybodyWasSeen();
  // What was not told needs no excuse: each customer's answer lies within what the service has heard.
  for (const number of moved) await scheduler.runFor(lookAtRest(stage, number, undefined));
  await eventsHaveEnded(stage);
  const unexplained = (await reconcile(stage, false)).filter((id) => !ledger.couldMiss(id));
  if (unexplained.length > 0) {
    const which = unexplained.join(', ');
    throw new Violation('drift', `A reconciliation found ${which} different, of which no event had been lost.`);
  }
  ledger.reconciled();
  await reconcile(stage, true);
  const quiet = random.pick([...universe.processes]);
  for (const process of [...universe.processes]) {
    for (const number of everybody) {
      if (!moved.has(number) && process !== quiet) continue;
      const oneByOne = moved.has(number) ? FEATURE_CODES : [random.pick(FEATURE_CODES)];
      given.push(...(await scheduler.runFor(lookAtRest(stage, number, process, oneByOne))));
    }
  }
  for (const number of everybody) {
    for (const ahead of AHEAD) {
      if (random.chance(moved.has(number) ? 0.5 : 0.1)) {
        await scheduler.runFor(lookAhead(stage, number, random.pick(FEATURE_CODES), ahead));
      }
    }
  }
  await followersKnow(stage);
  await scheduler.runFor(revenueAddsUp(stage));
  await scheduler.runFor(nothingTwice(stage, moved));
  await versionsGrowByOne();
  await endsAreFinal();
  const [process] = universe.processes;
  if (process !== undefined) await auditHolds(process, stage);
  while (given.length > KEPT_ANSWERS) given.splice(random.below(given.length), 1);
  for (let count = 0; count < Math.min(40, given.length); count += 1) {
    await scheduler.runFor(askAgain(stage, random.pick(given)));
  }
  universe.chaos.enabled = true;
}
