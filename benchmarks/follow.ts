import { setTimeout as sleep } from 'node:timers/promises';
import { ADMIN_KEY, call, type RunningService } from './service.ts';

interface Followed<T> {
  ended: T;
  seconds: number;
  /** How much of it the service's process took, in words. */
  memory: string;
}

/**
 * Follows long work until it ends.
 * @param start - begins it, and says where it is asked how far it is
 * @param words - how far it is, for whoever watches
 */
export async function follow<T extends { status: string }>(
  { url, residentMb }: RunningService,
  start: () => Promise<string>,
  words: (state: T) => string,
): Promise<Followed<T>> {
  const before = await residentMb();
  let peak = before;
  const began = performance.now();
  const path = await start();
  let state: T;
  do {
    await sleep(250);
    peak = Math.max(peak, await residentMb());
    state = await call<T>('GET', url + path, ADMIN_KEY);
    process.stderr.write(`\r  ${words(state)} `);
  } while (state.status === 'queued' || state.status === 'running');
  const seconds = (performance.now() - began) / 1000;
  return { ended: state, seconds, memory: `memory ${before.toFixed(0)} MB before, ${peak.toFixed(0)} MB at most` };
}
