import type { Cause } from '../facts/cause.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database, Tx } from '../platform/database.ts';
import type { Connections } from '../stripe/connections.ts';

/** What the use cases of the catalog need. */
export interface CatalogDeps {
  db: Database;
  clock: Clock;
  connections: Connections;
  /** From the room that computes entitlements, which reads this one: has every customer of a project recomputed,
   * and answers with the id under which the progress can be asked for. */
  requestRecomputation: (tx: Tx, request: { projectId: string; cause: Cause }) => Promise<string>;
}

/** What stands behind a change: who makes it, and a text that its repeats share (`platform/http/repeat-key.ts`). */
export interface Repeatable {
  repeatKey: string;
}
