import { createReadStream } from 'node:fs';
import type { Faults, RequestFailure } from './faults.ts';
import type { KeptAnswer } from './idempotency.ts';
import type { RandomState } from './ids.ts';
import type { Due } from './schedule.ts';
import type { PlannedFailure } from './world.ts';

/** The first line of a file. Files of the first format are one line that holds everything. */
export const HEAD = { format: 2 };
const FIRST_FORMAT = 1;
const NEW_LINE = 10;
const CHUNK_BYTES = 2 ** 20;
/** So many lines are read again for one that still counts, before the file is written anew. */
const WORN_FACTOR = 2;
const WORN_LEAST = 2000;

/** The small parts of a world. As a line of the file, it says that what was written before it is whole. */
export interface Rest {
  /** Files of older versions have none. */
  accountId?: string;
  /** Seconds ahead of the wall clock, and the time that it was. */
  offset: number;
  now: number;
  random: RandomState;
  faults: Faults;
  plannedRequestFailures: RequestFailure[];
  plannedFailures: PlannedFailure[];
  /** Events that were still on their way to an endpoint. */
  undelivered: string[];
}

/** A line of the file: something that is there from now on, or not any more. */
export type Line =
  | { kind: string; object: { id: string } }
  | { kind: string; gone: string }
  | { reminder: Due; clock: string | null }
  | { taken: Due; clock: string | null }
  | { answer: [string, KeptAnswer] }
  | { rest: Rest };

type Entry = Exclude<Line, { rest: Rest }>;

/** What a file of the first format holds. */
interface FirstFormat extends Rest {
  objects: Record<string, { id: string }[]>;
  /** By test clock; under '' those of the sandbox's own time. */
  schedules: [string, Due[]][];
  idempotency: [string, KeptAnswer][];
}

/** What a file held. */
export interface Saved {
  rest: Rest;
  /** By kind and id, oldest first. */
  objects: Map<string, Map<string, { id: string }>>;
  reminders: { due: Due; clock: string | null }[];
  answers: Map<string, KeptAnswer>;
  bytes: number;
  /** Whether it is better written anew than continued: it is old, was broken off, or says much that does not count any more. */
  worn: boolean;
}

/** Puts the lines of a file together; they count when a line `rest` says that they are whole. */
class Assembly {
  rest: Rest | null = null;
  readonly objects: Saved['objects'] = new Map();
  readonly answers = new Map<string, KeptAnswer>();
  readonly #reminders = new Map<string, { due: Due; clock: string | null }[]>();
  #waiting: Entry[] = [];
  #counted = 0;

  add(line: Line): void {
    if (!('rest' in line)) {
      this.#waiting.push(line);
      return;
    }
    for (const waiting of this.#waiting) this.#apply(waiting);
    this.#counted += this.#waiting.length;
    this.#waiting = [];
    this.rest = line.rest;
  }

  get brokenOff(): boolean {
    return this.#waiting.length > 0;
  }

  get reminders(): Saved['reminders'] {
    return [...this.#reminders.values()].flat();
  }

  get worn(): boolean {
    let live = this.answers.size + this.reminders.length;
    for (const objects of this.objects.values()) live += objects.size;
    return this.brokenOff || this.#counted > WORN_FACTOR * live + WORN_LEAST;
  }

  #apply(line: Entry): void {
    if ('object' in line) this.#ofKind(line.kind).set(line.object.id, line.object);
    else if ('gone' in line) this.#ofKind(line.kind).delete(line.gone);
    else if ('answer' in line) this.answers.set(...line.answer);
    else {
      const due = 'reminder' in line ? line.reminder : line.taken;
      const key = JSON.stringify([line.clock, due.at, due.kind, due.id]);
      const same = this.#reminders.get(key) ?? [];
      if ('reminder' in line) same.push({ due, clock: line.clock });
      else same.pop();
      if (same.length > 0) this.#reminders.set(key, same);
      else this.#reminders.delete(key);
    }
  }

  #ofKind(kind: string): Map<string, { id: string }> {
    let objects = this.objects.get(kind);
    if (objects === undefined) {
      objects = new Map();
      this.objects.set(kind, objects);
    }
    return objects;
  }
}

/** The lines of a file, and whether each was ended: JSON may hold separators that other readers take for an end. */
async function* textLines(file: string): AsyncGenerator<{ text: string; ended: boolean; bytes: number }> {
  let begun: Buffer[] = [];
  for await (const chunk of createReadStream(file, { highWaterMark: CHUNK_BYTES }) as AsyncIterable<Buffer>) {
    let from = 0;
    for (let at = chunk.indexOf(NEW_LINE); at >= 0; at = chunk.indexOf(NEW_LINE, from)) {
      const line = Buffer.concat([...begun, chunk.subarray(from, at)]);
      begun = [];
      from = at + 1;
      yield { text: line.toString('utf8'), ended: true, bytes: line.length + 1 };
    }
    if (from < chunk.length) begun.push(chunk.subarray(from));
  }
  const last = Buffer.concat(begun);
  if (last.length > 0) yield { text: last.toString('utf8'), ended: false, bytes: last.length };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function linesOf({ objects, schedules, idempotency, ...rest }: FirstFormat): Line[] {
  return [
    ...Object.entries(objects).flatMap(([kind, all]) => all.map((object) => ({ kind, object }))),
    ...schedules.flatMap(([clock, dues]) => dues.map((reminder) => ({ reminder, clock: clock === '' ? null : clock }))),
    ...idempotency.map((answer) => ({ answer })),
    { rest },
  ];
}

/**
 * Reads a file; what was written last and not to its end does not count.
 *
 * @returns null when there is none
 * @throws when it is not the state of a sandbox
 */
export async function readState(file: string): Promise<Saved | null> {
  const hint = `Move ${file} away to start with an empty sandbox.`;
  const assembly = new Assembly();
  let bytes = 0;
  let number = 0;
  let worn = false;
  try {
    for await (const { text, ended, bytes: length } of textLines(file)) {
      number += 1;
      bytes += length;
      const read = parse(text);
      if (number === 1) {
        if (typeof read !== 'object' || read === null) throw new Error(`${file} is not JSON. ${hint}`);
        const { format } = read as { format?: unknown };
        worn = format === FIRST_FORMAT;
        if (worn) for (const line of linesOf(read as FirstFormat)) assembly.add(line);
        else if (format !== HEAD.format) {
          throw new Error(`${file} was written by another version of the sandbox. ${hint}`);
        }
      } else if (ended && read !== undefined) assembly.add(read as Line);
      else if (ended) throw new Error(`${file} is damaged in line ${number}. ${hint}`);
      else worn = true;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  const { rest, objects, reminders, answers } = assembly;
  if (rest === null) throw new Error(`${file} is not JSON of a sandbox. ${hint}`);
  return { rest, objects, reminders, answers, bytes, worn: worn || assembly.worn };
}
