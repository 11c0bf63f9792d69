/**
 * Runs something for everybody who asks, one run at a time. One that is under way may have begun too early for whoever
 * asks now: then another follows it, for all who ask meanwhile.
 */
export function latest(run: () => Promise<void>): () => Promise<void> {
  let current: Promise<void> | null = null;
  let next: Promise<void> | null = null;
  const begin = (): Promise<void> => {
    next = null;
    current = run().finally(() => {
      current = null;
    });
    return current;
  };
  return () => {
    if (next !== null) return next;
    if (current === null) return begin();
    next = current.catch(() => {}).then(begin);
    return next;
  };
}
