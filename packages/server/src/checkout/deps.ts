import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import type { Log } from '../platform/log.ts';
import type { Connections } from '../stripe/connections.ts';

/** What the use cases of this room need. */
export interface CheckoutDeps {
  db: Database;
  clock: Clock;
  connections: Connections;
  log: Log;
  /** Makes this process see at once what was applied: whoever is told so may ask for it next. */
  snapshots: { forget(projectId: string, customerId: string): void };
}
