import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import type { Sealer } from '../platform/sealing.ts';

export interface NoticeDeps {
  db: Database;
  clock: Clock;
  /** Null: no signing secret can be kept, and no endpoint made. */
  sealer: Sealer | null;
  /** Ports of this machine where the service itself answers, or what belongs to it: no notice goes there. Default none. */
  ownPorts?: () => readonly number[];
}
