import { type FileHandle, mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Changes } from './changes.ts';
import type { Price } from './model.ts';
import { HEAD, type Line, type Rest, readState, type Saved } from './state-file.ts';
import type { World } from './world.ts';

/** How long after a change it is written, in milliseconds; changes in between go with it. */
const DEBOUNCE_MS = 200;
/** A lot is written in slices: so many milliseconds of work, then a rest so many times as long for everything else. */
const SLICE_MS = 5;
const REST_FACTOR = 3;
/** What does not count any more may take up as much of the file as what does, and this much besides. */
const WASTE_BYTES = 16 * 2 ** 20;

function restOf(world: World): Rest {
  return {
    accountId: world.accountId,
    offset: world.clock.offset,
    now: world.clock.now(),
    random: world.ids.random.state,
    faults: world.faults.settings,
    plannedRequestFailures: world.faults.planned,
    plannedFailures: world.plannedFailures,
    undelivered: world.webhooks.unfinished(),
  };
}

/** All that is in a world at this moment; what changes while it is taken is left to `Changes`. */
function everythingIn(world: World): Iterable<Line> {
  const objects = world.store.dump();
  const schedules = [...world.schedules()].map(([clock, schedule]) => ({ clock, reminders: schedule.dump() }));
  const answers = world.idempotency.dump();
  function* lines(): Generator<Line> {
    for (const [kind, all] of objects) for (const object of all) yield { kind, object };
    for (const { clock, reminders } of schedules) {
      for (const reminder of reminders) yield { reminder, clock: clock === '' ? null : clock };
    }
    for (const answer of answers) yield { answer };
  }
  return lines();
}

function restore(world: World, { rest, objects, reminders, answers }: Saved): void {
  world.clock.resume(rest);
  world.accountId = rest.accountId ?? world.accountId;
  world.ids.random.state = rest.random;
  world.store.load([...objects].map(([kind, byId]) => [kind, byId.values()]));
  linkPrices(world);
  for (const { due, clock } of reminders) world.remind(due, clock);
  world.idempotency.load([...answers]);
  world.faults.settings = rest.faults;
  world.faults.planned = rest.plannedRequestFailures;
  world.plannedFailures = rest.plannedFailures;
  for (const id of rest.undelivered) {
    const event = world.store.get('event', id);
    if (event !== undefined) world.webhooks.resend(event);
  }
}

/** What carries a price whole carries the stored one, so that a later change of it shows everywhere. */
function linkPrices(world: World): void {
  const stored = <T extends { price: Price }>(holder: T): void => {
    holder.price = world.store.get('price', holder.price.id) ?? holder.price;
  };
  for (const subscription of world.store.all('subscription')) subscription.items.data.forEach(stored);
  for (const attached of world.store.all('product_feature')) {
    const { entitlement_feature: copy } = attached;
    attached.entitlement_feature = world.store.get('entitlements.feature', copy.id) ?? copy;
  }
  for (const session of world.store.all('checkout.session')) session.$.lines.forEach(stored);
}

/** The file that a world is kept in: lines that say what changed, written anew when most of them do not count any more. */
class Journal {
  readonly #world: World;
  readonly #changes: Changes;
  readonly #file: string;
  #handle: FileHandle | null = null;
  /** How long it was when it was last written anew, and how long it is now. */
  #baseBytes: number;
  #bytes: number;
  /** Nothing else has to go on meanwhile. */
  hurries = false;

  constructor(world: World, changes: Changes, file: string, bytes: number) {
    this.#world = world;
    this.#changes = changes;
    this.#file = file;
    this.#baseBytes = bytes;
    this.#bytes = bytes;
  }

  /** Writes what has changed. Whatever happens, the file is whole: what is broken off does not count. */
  async write(): Promise<void> {
    try {
      for (let whole = false; !whole; ) whole = await (this.#changes.everything ? this.#writeAnew() : this.#append());
    } catch (error) {
      // Nobody knows how far it came.
      this.#changes.forget();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#handle?.close();
  }

  /** @returns false when all has to be written anew */
  async #append(): Promise<boolean> {
    this.#handle ??= await open(this.#file, 'a', 0o600);
    const whole = await this.#writeLines(this.#handle, []);
    if (whole) await this.#handle.datasync();
    if (this.#bytes > 2 * this.#baseBytes + WASTE_BYTES) this.#changes.forget();
    return whole && !this.#changes.everything;
  }

  /**
   * Writes beside the file, makes sure that it is on the disk, and puts it in the file's place.
   * @returns false when it was given up, because all has to be written anew
   */
  async #writeAnew(): Promise<boolean> {
    const beside = `${this.#file}.${process.pid}.tmp`;
    const handle = await open(beside, 'w', 0o600);
    this.#bytes = 0;
    this.#changes.forget();
    this.#changes.everything = false;
    const everything = everythingIn(this.#world);
    try {
      await this.#put(handle, [JSON.stringify(HEAD)]);
      if (!(await this.#writeLines(handle, everything))) {
        await handle.close();
        return false;
      }
      await handle.sync();
      await rename(beside, this.#file);
    } catch (error) {
      await handle.close();
      throw error;
    }
    await this.#handle?.close();
    this.#handle = handle;
    this.#baseBytes = this.#bytes;
    return true;
  }

  /**
   * Writes lines, then what has changed, slice by slice, until nothing is left; then that it is whole.
   * @returns false when it was given up, because all has to be written anew
   */
  async #writeLines(handle: FileHandle, first: Iterable<Line>): Promise<boolean> {
    const rest = first[Symbol.iterator]();
    const changes = this.#changes.drain();
    for (let done = false; !done; ) {
      const slice: string[] = [];
      const until = performance.now() + SLICE_MS;
      while (performance.now() < until) {
        let next = rest.next();
        if (next.done === true) next = changes.next() as IteratorResult<Line>;
        done = next.done === true;
        if (done) break;
        slice.push(JSON.stringify(next.value));
      }
      if (this.#changes.everything) return false;
      // In the same moment as the last of what changed: the lines before are one state of the world.
      if (done) slice.push(JSON.stringify({ rest: restOf(this.#world) } satisfies Line));
      await this.#put(handle, slice);
      if (!done && !this.hurries) await pause(REST_FACTOR * SLICE_MS);
    }
    return true;
  }

  async #put(handle: FileHandle, lines: readonly string[]): Promise<void> {
    const bytes = Buffer.from(`${lines.join('\n')}\n`);
    this.#bytes += bytes.length;
    await handle.appendFile(bytes);
  }
}

/** The file that a world is kept in. */
export interface StateFile {
  /** Writes what has not been written yet. */
  close(): Promise<void>;
}

/**
 * Takes a world's state from a file, if there is one, and keeps it there from now on.
 *
 * @throws when the file cannot be read, or is not the state of a sandbox
 */
export async function keepIn(world: World, file: string): Promise<StateFile> {
  await mkdir(dirname(file), { recursive: true });
  const saved = await readState(file);
  if (saved !== null) restore(world, saved);
  const changes = new Changes();
  changes.everything = saved === null || saved.worn;
  world.store.changes = changes;
  world.idempotency.kept = (key, answer) => changes.note({ answer: [key, answer] });
  const journal = new Journal(world, changes, file, saved?.bytes ?? 0);
  let timer: NodeJS.Timeout | null = null;
  let writing: Promise<void> = Promise.resolve();
  const write = (): Promise<void> => {
    const written = writing.then(() => {
      timer = null;
      return journal.write();
    });
    writing = written.catch((error: unknown) => {
      process.stderr.write(`Could not write ${file}: ${String(error)}\n`);
    });
    return written;
  };
  world.changed = () => {
    timer ??= setTimeout(() => write().catch(() => {}), DEBOUNCE_MS).unref();
  };
  return {
    async close() {
      if (timer !== null) clearTimeout(timer);
      world.changed = () => {};
      journal.hurries = true;
      await write();
      await journal.close();
    },
  };
}
