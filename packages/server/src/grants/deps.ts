import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';

export interface GrantDeps {
  db: Database;
  clock: Clock;
  /** Makes this process see a change at once, after its commit; others hear of it. */
  snapshots: { forget(projectId: string, customerId: string): void };
}
