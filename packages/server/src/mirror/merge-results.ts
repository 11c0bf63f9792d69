import type { SyncResult } from './types.ts';

/**
 * One result for several objects that were looked at together: what is parked has to be tried again, whatever became of
 * the others; then what is ours counts more than what is not.
 */
export function mergeResults(results: readonly SyncResult[]): SyncResult | null {
  const order: readonly SyncResult['status'][] = ['parked', 'applied', 'unchanged', 'stale', 'ignored'];
  for (const status of order) {
    const found = results.find((result) => result.status === status);
    if (found !== undefined) return found;
  }
  return null;
}
