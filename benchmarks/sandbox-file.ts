/** The file that a sandbox keeps its state in, for adding copies of what is in it by the thousand. */
import { appendFile, readFile } from 'node:fs/promises';

export interface Stored {
  id: string;
  [member: string]: unknown;
}

const SLICE = 5_000;

/** The objects of a sandbox that stands still, as they are now; by kind, in no order. */
export async function objectsIn(file: string): Promise<(kind: string, is: (object: Stored) => boolean) => Stored> {
  const objects = new Map<string, Map<string, Stored>>();
  for (const line of await linesOf(file)) {
    if (line.kind === undefined) continue;
    const ofKind = objects.get(line.kind) ?? new Map<string, Stored>();
    objects.set(line.kind, ofKind);
    if (line.object !== undefined) ofKind.set(line.object.id, line.object);
    if (line.gone !== undefined) ofKind.delete(line.gone);
  }
  return (kind, is) => {
    const found = [...(objects.get(kind)?.values() ?? [])].find(is);
    if (found === undefined) throw new Error(`The sandbox has no such ${kind}.`);
    return found;
  };
}

/** What makes the ids of the nth copy, of equal length for all. */
export function nth(n: number): string {
  return String(n).padStart(9, '0');
}

/**
 * Adds copies of objects to a sandbox that stands still.
 * @param originals - by kind
 * @param rename - makes the nth copy's JSON of the original's
 */
export async function addCopies(
  file: string,
  originals: Readonly<Record<string, Stored>>,
  count: number,
  rename: (json: string, n: number) => string,
): Promise<void> {
  const texts = Object.entries(originals).map(([kind, original]) => ({ kind, json: JSON.stringify(original) }));
  function* copies() {
    for (let n = 1; n <= count; n++) {
      for (const { kind, json } of texts) yield { kind, object: rename(json, n) };
    }
  }
  await addObjects(file, copies());
}

/** Each comes as its JSON. */
async function addObjects(file: string, added: Iterable<{ kind: string; object: string }>): Promise<void> {
  // Only with such a line at its end is what was written whole.
  const rest = (await linesOf(file)).findLast((line) => line.rest !== undefined);
  let waiting: string[] = [];
  for (const { kind, object } of added) {
    waiting.push(`{"kind":${JSON.stringify(kind)},"object":${object}}\n`);
    if (waiting.length < SLICE) continue;
    await appendFile(file, waiting.join(''));
    waiting = [];
  }
  await appendFile(file, `${waiting.join('')}${JSON.stringify(rest)}\n`);
}

interface Line {
  kind?: string;
  object?: Stored;
  gone?: string;
  rest?: object;
}

async function linesOf(file: string): Promise<Line[]> {
  const text = await readFile(file, 'utf8');
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Line]));
}
