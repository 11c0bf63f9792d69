import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Faults, RequestFailure } from './faults.ts';
import type { KeptAnswer } from './idempotency.ts';
import type { RandomState } from './ids.ts';
import type { Price } from './model.ts';
import type { Due } from './schedule.ts';
import type { PlannedFailure, World } from './world.ts';

const FORMAT = 1;
/** How long after a change the file is written, in milliseconds; changes in between go with it. */
const DEBOUNCE_MS = 200;
/** A large state is written less often: at most one part in so many of the time goes into it. */
const BREATHER = 10;

interface Snapshot {
  format: typeof FORMAT;
  /** Files of older versions have none. */
  accountId?: string;
  /** Seconds ahead of the wall clock, and the time that it was. */
  offset: number;
  now: number;
  random: RandomState;
  objects: Record<string, unknown[]>;
  schedules: [string, Due[]][];
  idempotency: [string, KeptAnswer][];
  faults: Faults;
  plannedRequestFailures: RequestFailure[];
  plannedFailures: PlannedFailure[];
  /** Events that were still on their way to an endpoint. */
  undelivered: string[];
}

function snapshot(world: World): Snapshot {
  return {
    format: FORMAT,
    accountId: world.accountId,
    offset: world.clock.offset,
    now: world.clock.now(),
    random: world.ids.random.state,
    objects: world.store.dump(),
    schedules: [...world.schedules()].map(([testClock, schedule]) => [testClock, schedule.dump()]),
    idempotency: world.idempotency.dump(),
    faults: world.faults.settings,
    plannedRequestFailures: world.faults.planned,
    plannedFailures: world.plannedFailures,
    undelivered: world.webhooks.unfinished(),
  };
}

function restore(world: World, saved: Snapshot): void {
  world.clock.resume(saved);
  world.accountId = saved.accountId ?? world.accountId;
  world.ids.random.state = saved.random;
  world.store.load(saved.objects);
  linkPrices(world);
  for (const [testClock, entries] of saved.schedules) {
    for (const due of entries) world.remind(due, testClock === '' ? null : testClock);
  }
  world.idempotency.load(saved.idempotency);
  world.faults.settings = saved.faults;
  world.faults.planned = saved.plannedRequestFailures;
  world.plannedFailures = saved.plannedFailures;
  for (const id of saved.undelivered) {
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

async function read(file: string): Promise<Snapshot | null> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  const hint = `Move ${file} away to start with an empty sandbox.`;
  let saved: Snapshot;
  try {
    saved = JSON.parse(text) as Snapshot;
  } catch {
    throw new Error(`${file} is not JSON. ${hint}`);
  }
  if (saved.format !== FORMAT) throw new Error(`${file} was written by another version of the sandbox. ${hint}`);
  return saved;
}

/** Writes beside the file, makes sure that it is on the disk, and puts it in the file's place: never half a file. */
async function replace(file: string, text: string): Promise<void> {
  const beside = `${file}.${process.pid}.tmp`;
  const handle = await open(beside, 'w', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(beside, file);
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
  const saved = await read(file);
  if (saved !== null) restore(world, saved);
  let timer: NodeJS.Timeout | null = null;
  let lastTookMs = 0;
  let writing: Promise<void> = Promise.resolve();
  const write = (): Promise<void> => {
    timer = null;
    const began = performance.now();
    const text = JSON.stringify(snapshot(world));
    lastTookMs = performance.now() - began;
    writing = writing.then(() => replace(file, text));
    return writing;
  };
  world.changed = () => {
    timer ??= setTimeout(
      () => {
        write().catch((error: unknown) => process.stderr.write(`Could not write ${file}: ${String(error)}\n`));
      },
      Math.max(DEBOUNCE_MS, BREATHER * lastTookMs),
    );
    timer.unref();
  };
  return {
    async close() {
      if (timer !== null) clearTimeout(timer);
      world.changed = () => {};
      await write();
    },
  };
}
