import { eachOf } from '../platform/each-of.ts';
import { TollgateError } from '../platform/errors.ts';
import { SIDE_BY_SIDE } from '../stripe/manner.ts';
import type { PageReport } from './progress.ts';
import type { Work } from './work.ts';

/** What comes of an object that cannot be understood: it is counted and listed, and the import goes on. */
export interface Unreadable extends Pick<PageReport, 'gains' | 'parked'> {
  counted: 'failed';
}

/**
 * Reads an object of Stripe's.
 * @throws whatever `read` throws, but for a shape that is not as expected
 */
export async function readable<T>(
  { log }: Pick<Work, 'log'>,
  { type, id }: { type: string; id: string },
  read: () => T | Promise<T>,
): Promise<T | Unreadable> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof TollgateError) || error.code !== 'stripe_shape_unexpected') throw error;
    log.warn({ err: error, object_type: type, object_id: id }, 'An object cannot be imported: it cannot be understood');
    return { counted: 'failed', gains: [], parked: [{ type, id, reason: 'unreadable' }] };
  }
}

/** Reads the objects of a page. @returns those that could be read, in order; how many could not, and what to list of them */
export async function readEach<G extends { id: string }, T>(
  work: Work,
  type: string,
  page: readonly G[],
  read: (given: G) => T | Promise<T>,
): Promise<{ read: T[]; failed: number; parked: PageReport['parked'][number][] }> {
  const done = await eachOf(page, SIDE_BY_SIDE, (given) =>
    readable(work, { type, id: given.id }, async () => ({ read: await read(given) })),
  );
  const failed = done.filter((one) => 'counted' in one);
  return {
    read: done.flatMap((one) => ('read' in one ? [one.read] : [])),
    failed: failed.length,
    parked: failed.flatMap(({ parked }) => parked),
  };
}
