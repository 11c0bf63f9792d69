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

/** Adds objects to a sandbox that stands still; each comes as its JSON. */
export async function addObjects(file: string, added: Iterable<{ kind: string; object: string }>): Promise<void> {
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
