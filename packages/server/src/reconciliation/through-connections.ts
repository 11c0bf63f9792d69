import { TollgateError } from '../platform/errors.ts';
import { withoutSecrets } from '../platform/log.ts';
import { isKeyRefused, refusalOf } from '../stripe/refusal.ts';
import { type Place, type Progress, progressOf, readRun, saveConnections } from './progress.ts';
import type { RunRow } from './start-run.ts';
import type { Working } from './work-step.ts';

/** Connections that could not be gone through; the others were. */
export class LeftBehind extends Error {
  override readonly name = 'LeftBehind';
  readonly connectionIds: readonly string[];
  /** Whether nothing helps but somebody who changes something: a key that Stripe does not take. */
  readonly needsPerson: boolean;

  constructor(problems: readonly Problem[]) {
    super(problems.map(({ connectionId, message }) => `${connectionId}: ${message}`).join(' '));
    this.connectionIds = problems.map(({ connectionId }) => connectionId);
    this.needsPerson = problems.every((problem) => problem.needsPerson);
  }
}

interface Problem {
  connectionId: string;
  message: string;
  needsPerson: boolean;
}

/**
 * Goes through one connection after the other. One whose account is away, or whose key is taken no more, is left behind
 * where it is, for a later attempt to go on with; the others do not wait for it.
 * @param work - goes through one connection from a place on; null: from the start
 * @returns the run as it is afterwards
 * @throws LeftBehind when a connection could not be gone through; whatever is no connection's fault, at once
 */
export async function throughConnections(
  deps: Working,
  begun: RunRow,
  connectionIds: readonly string[],
  work: (run: RunRow, connectionId: string, from: Place | null) => Promise<RunRow>,
): Promise<RunRow> {
  const problems: Problem[] = [];
  let run = begun;
  for (const id of inOrder(connectionIds, progressOf(begun))) {
    try {
      run = await work(run, id, placeIn(progressOf(run), id));
      const { done, left } = progressOf(run);
      const { [id]: _, ...others } = left;
      run = await saveConnections(deps.db, run, { done: [...done, id], left: others }, messageOf(problems));
    } catch (error) {
      deps.signal.throwIfAborted();
      const problem = problemOf(id, error);
      if (problem === null) throw error;
      deps.log.warn({ err: error, run_id: run.id, connection: id }, 'A connection cannot be reconciled now');
      problems.push(problem);
      // It has come further than whoever began it knows.
      run = await readRun(deps.db, run.id);
      const progress = progressOf(run);
      const left = { ...progress.left, [id]: placeIn(progress, id) };
      run = await saveConnections(deps.db, run, { done: progress.done, left }, messageOf(problems));
    }
  }
  if (problems.length > 0) throw new LeftBehind(problems);
  return run;
}

/** The one that the run is in the middle of, those that nobody has tried yet, and then those that were left behind. */
function inOrder(connectionIds: readonly string[], { place, done, left }: Progress): string[] {
  const rank = (id: string) => (isIn(place, id) ? 0 : id in left ? 2 : 1);
  return connectionIds.filter((id) => !done.includes(id)).sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

function placeIn({ place, left }: Progress, connectionId: string): Place | null {
  return isIn(place, connectionId) ? place : (left[connectionId] ?? null);
}

function isIn(place: Place | null, connectionId: string): place is Place {
  return place?.step.startsWith(`${connectionId}/`) === true;
}

/** What is wrong with a connection; null for an error that is not its fault. */
export function problemOf(connectionId: string, error: unknown): Problem | null {
  const refusal = refusalOf(error);
  if (!(refusal instanceof TollgateError)) return null;
  // A refusal of our own says that the connection cannot be used as it is.
  const needsPerson = isKeyRefused(error) || error === refusal;
  return { connectionId, message: withoutSecrets(refusal.message), needsPerson };
}

function messageOf(problems: readonly Problem[]): string | null {
  return problems.length === 0 ? null : new LeftBehind(problems).message.slice(0, 500);
}
