import { invalidRequest } from './errors.ts';
import type { TestClock } from './model.ts';
import type { Due } from './schedule.ts';
import type { World } from './world.ts';

/** What is done with each kind of thing when its time has come; every module that plans something adds itself. */
const dueHandlers = new Map<Due['kind'], (world: World, id: string) => void>();

/** Says what becomes of a kind of object when a reminder of it falls due. */
export function whenDue(kind: Due['kind'], handler: (world: World, id: string) => void): void {
  dueHandlers.set(kind, handler);
}

/** Carries out all that has fallen due by a time, in order, each as if it were the moment it was due. */
function runUntil(world: World, testClock: TestClock | null, time: number): void {
  const schedule = world.scheduleOf(testClock?.id ?? null);
  for (;;) {
    const due = schedule.take(time);
    if (due === undefined) return;
    if (testClock !== null) testClock.frozen_time = Math.max(testClock.frozen_time, due.at);
    world.clock.at(due.at, () => dueHandlers.get(due.kind)?.(world, due.id));
  }
}

/** Carries out what has fallen due while nobody was looking. */
export function catchUp(world: World): void {
  const next = world.scheduleOf(null).next;
  if (next === null || next > world.clock.now()) return;
  runUntil(world, null, world.clock.now());
  world.changed();
}

/**
 * Moves the sandbox's own time forward; what falls due on the way happens in order.
 *
 * @param to Unix seconds
 * @throws StripeError when that lies in the past
 */
export function advanceTo(world: World, to: number): void {
  const now = world.clock.now();
  if (to < now) throw invalidRequest(`The sandbox's time cannot go back (it is ${now}).`, { param: 'to' });
  runUntil(world, null, to);
  world.clock.offset += to - now;
  world.changed();
}

/** Moves a test clock forward; what falls due for its customers on the way happens in order. */
export function advanceTestClock(world: World, clock: TestClock, to: number): void {
  runUntil(world, clock, to);
  clock.frozen_time = to;
}

/** When the next thing falls due on the sandbox's own time, in Unix seconds; null when nothing is planned. */
export function nextDue(world: World): number | null {
  return world.scheduleOf(null).next;
}
