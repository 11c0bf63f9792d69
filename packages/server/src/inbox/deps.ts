import type { SyncRequest, SyncResult } from '../mirror/types.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import type { Log } from '../platform/log.ts';
import type { RetrySettings } from '../platform/retry-delay.ts';
import type { Connections, StripeConnection } from '../stripe/connections.ts';

export interface InboxDeps {
  db: Database;
  clock: Clock;
  connections: Connections;
  log: Log;
}

/** What the webhook itself needs. */
export interface ReceiveDeps extends InboxDeps {
  /** What signatures are compared with: real time, even where `clock` is simulated. Default the system's. */
  signatureClock?: Clock;
  /** Looks further than `connections` does, for one that this process has not heard of yet. Default: it does not. */
  findConnection?: (id: string) => Promise<StripeConnection>;
}

/** What the jobs need. */
export interface SyncDeps extends InboxDeps {
  /** The mirror's `syncObject`. */
  syncObject: (request: SyncRequest) => Promise<SyncResult>;
  /** Default: `DEFAULT_RETRY`. */
  retry?: RetrySettings;
}
