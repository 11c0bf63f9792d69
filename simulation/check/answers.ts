/** Asks the service what somebody may do, and compares that with the model. */
import type { Process } from '../engine/process.ts';
import type { Bounds, Person } from '../model/ledger.ts';
import { FEATURE_CODES, type Project, type Stage } from '../story/stage.ts';
import { virtualTime } from '../virtual/time.ts';
import { Violation } from './violation.ts';

export interface Decision {
  entitled: boolean;
  value: number | null;
  unlimited: boolean;
  reason: string;
  valid_to: string | null;
  version: number;
}

/** An answer that was given while nothing was under way, to be asked for again later. */
export interface Given {
  person: Person;
  project: Project;
  feature: string;
  at: number;
  decision: Decision;
}

/** One question in the middle of everything: the answer lies between what must and what may be. */
export async function lookInPassing(stage: Stage, number: number, feature: string): Promise<void> {
  const { universe, ledger } = stage;
  const { person, project } = stage.people[number] as Stage['people'][number];
  const before = universe.now;
  const [first] = [ledger.bounds(person, feature, before)];
  const answer = await universe.ask('GET', checkPath(person, feature), { key: project.key });
  if (answer.status !== 200) throw new Violation('answers', `check answered ${answer.status}`);
  const second = ledger.bounds(person, feature, universe.now);
  const must = first.must && second.must;
  const may = first.may || second.may;
  complain(stage, person, feature, answer.body, { must, may, exact: null }, 'in passing');
}

/**
 * What a customer may use, while nothing is under way: every feature as a whole, and some asked for one by one.
 * @returns what was answered
 */
export async function lookAtRest(
  stage: Stage,
  number: number,
  process: Process | undefined,
  oneByOne: readonly string[] = FEATURE_CODES,
): Promise<Given[]> {
  const { universe, ledger } = stage;
  const { person, project } = stage.people[number] as Stage['people'][number];
  const at = universe.now;
  const options = { key: project.key, ...(process === undefined ? {} : { process }) };
  const all = await universe.ask('GET', `/entitlements?customer_id=${person.customer}`, options);
  if (all.status !== 200) throw new Violation('answers', `entitlements answered ${all.status}`);
  const given: Given[] = [];
  for (const feature of FEATURE_CODES) {
    const shown = all.body.entitlements[feature];
    const seen = { entitled: shown !== undefined, value: shown?.value ?? null, unlimited: shown?.unlimited ?? false };
    complain(
      stage,
      person,
      feature,
      { ...seen, reason: 'entitlements' },
      ledger.bounds(person, feature, at),
      'at rest',
    );
    if (!oneByOne.includes(feature)) continue;
    const { status, body } = await universe.ask('GET', checkPath(person, feature), options);
    if (status !== 200) throw new Violation('answers', `check answered ${status}`);
    complain(stage, person, feature, body, ledger.bounds(person, feature, at), 'at rest');
    if ((shown !== undefined) !== body.entitled || (shown !== undefined && shown.value !== body.value)) {
      throw new Violation(
        'one_answer',
        `${name(stage, person)}: check and entitlements differ about ${feature}: ${JSON.stringify(body)} and ${JSON.stringify(shown)}`,
      );
    }
    given.push({ person, project, feature, at, decision: body });
  }
  // Whatever is recorded from here on is recorded later than these answers.
  virtualTime.moveTo(at + 1);
  return given;
}

/** What the service says of moments to come must be what the model says of them, if nothing happens until then. */
export async function lookAhead(stage: Stage, number: number, feature: string, ahead: number): Promise<void> {
  const { universe, ledger } = stage;
  const { person, project } = stage.people[number] as Stage['people'][number];
  const at = universe.now + ahead;
  const bounds = ledger.bounds(person, feature, at);
  if (bounds.exact === null) return;
  const { status, body } = await universe.ask(
    'GET',
    `/explain?customer_id=${person.customer}&feature=${feature}&as_of=${encodeURIComponent(new Date(at).toISOString())}`,
    { key: project.key },
  );
  if (status !== 200) throw new Violation('answers', `explain answered ${status}: ${JSON.stringify(body)}`);
  complain(stage, person, feature, body, bounds, `for ${new Date(at).toISOString()}`);
}

/** What was answered back then is what is said today to have been answered. */
export async function askAgain(stage: Stage, { person, project, feature, at, decision }: Given): Promise<void> {
  const moment = encodeURIComponent(new Date(at).toISOString());
  const { status, body } = await stage.universe.ask(
    'GET',
    `/explain?customer_id=${person.customer}&feature=${feature}&as_of=${moment}&known_at=${moment}`,
    { key: project.key },
  );
  const same =
    status === 200 &&
    body.entitled === decision.entitled &&
    body.value === decision.value &&
    body.unlimited === decision.unlimited &&
    body.reason === decision.reason &&
    body.version === decision.version;
  if (!same) {
    throw new Violation(
      'point_in_time',
      `${name(stage, person)}, ${feature}, at ${new Date(at).toISOString()}: answered ${JSON.stringify(decision)}, and explained today as ${JSON.stringify({ ...body, sources: undefined })}`,
    );
  }
}

function complain(
  stage: Stage,
  person: Person,
  feature: string,
  got: Omit<Decision, 'valid_to' | 'version'>,
  bounds: Bounds,
  when: string,
): void {
  const { must, may, exact } = bounds;
  const where = `${name(stage, person)}, ${feature}, ${new Date(stage.universe.now).toISOString()}, ${when}`;
  const states = () =>
    JSON.stringify(stage.ledger.historiesOf(person).map(({ states: all, floor }) => all.slice(floor)));
  if (must && !got.entitled) {
    throw new Violation('payer_denied', `${where}: must be entitled, and is not (${got.reason}). Stripe: ${states()}`);
  }
  if (!may && got.entitled) {
    throw new Violation('beyond_policy', `${where}: may not be entitled, and is (${got.reason}). Stripe: ${states()}`);
  }
  if (exact !== null && (exact.value !== got.value || exact.unlimited !== got.unlimited)) {
    throw new Violation(
      'amount',
      `${where}: expected ${JSON.stringify(exact)}, got ${JSON.stringify(got)}. Stripe: ${states()}`,
    );
  }
}

export function name(stage: Stage, person: Person): string {
  return `customer ${stage.people.findIndex(({ person: other }) => other === person)} (${person.customer})`;
}

function checkPath(person: Person, feature: string): string {
  return `/check?customer_id=${person.customer}&feature=${feature}`;
}
