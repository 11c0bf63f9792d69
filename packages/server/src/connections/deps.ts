import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import type { Log } from '../platform/log.ts';
import type { Sealer } from '../platform/sealing.ts';
import type { ConnectionRegistry } from './registry.ts';

export interface ConnectionDeps {
  db: Database;
  clock: Clock;
  log: Log;
  registry: ConnectionRegistry;
  /** null: nothing can be stored. */
  sealer: Sealer | null;
  /** Why this installation may have no live key; none: it may. */
  liveRefusals: readonly string[];
  /** Where Stripe reaches the service, without a slash at the end; null when nobody said. */
  publicUrl: string | null;
  /** The types of events that the inbox acts upon. */
  eventTypes: readonly string[];
}
