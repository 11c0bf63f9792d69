import type { MirrorDeps } from '../mirror/sync-object.ts';

export interface ParkedDeps extends MirrorDeps {
  /** Makes this process see a change at once, after its commit; others hear of it. */
  snapshots: { forget(projectId: string, customerId: string): void };
}
