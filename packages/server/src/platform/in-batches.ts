const BATCH = 1_000;

/**
 * Deletes rows, so few at once that nobody waits for it. What is left when the process is to stop is left for next time.
 * @param deleteSome - deletes at most `limit` rows, and says how many it has deleted
 */
export async function deleteInBatches(
  signal: AbortSignal,
  deleteSome: (limit: number) => Promise<bigint>,
): Promise<void> {
  while (!signal.aborted) {
    if ((await deleteSome(BATCH)) < BATCH) return;
  }
}
