/** Side by side: enough to be paced by Stripe's limit and not by its latency. */
const SIDE_BY_SIDE = 4;

/** Does something with each item, a few at a time. @returns the results in the order of the items */
export async function eachOf<T, R>(items: readonly T[], act: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const waiting = [...items.entries()];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      results[next[0]] = await act(next[1]).catch((error: unknown) => {
        waiting.length = 0;
        throw error;
      });
    }
  };
  // All of them end before an error goes up, so that nothing is still under way afterwards.
  const ended = await Promise.allSettled(Array.from({ length: SIDE_BY_SIDE }, work));
  const failed = ended.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return results;
}
