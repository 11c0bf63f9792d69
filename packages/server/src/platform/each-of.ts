/**
 * Does something with each item, so many at a time. After an error nothing more is begun.
 * @returns the results in the order of the items
 * @throws the first error, when all that was under way has ended
 */
export async function eachOf<T, R>(
  items: readonly T[],
  sideBySide: number,
  act: (item: T) => Promise<R>,
): Promise<R[]> {
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
  const ended = await Promise.allSettled(Array.from({ length: sideBySide }, work));
  const failed = ended.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return results;
}
