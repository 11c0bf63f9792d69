import type { Cause } from '../facts/cause.ts';
import type { ObjectRef } from '../facts/object-ref.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import type { Log } from '../platform/log.ts';
import type { Connections } from '../stripe/connections.ts';
import type { Declared } from './attribute.ts';
import type { Candidate } from './parked-detail.ts';
import type { CustomerShape } from './shapes.ts';

export type { ObjectRef, ObjectType } from '../facts/object-ref.ts';

export interface MirrorDeps {
  db: Database;
  clock: Clock;
  connections: Connections;
  log: Log;
}

/** Who paid, as Stripe knows them: a customer, or somebody who left nothing but an address. */
export interface Payer extends Pick<CustomerShape, 'email' | 'metadata'> {
  id: string | null;
}

export interface SyncRequest {
  connectionId: string;
  ref: ObjectRef;
  /** What made somebody look: kept with every fact and snapshot version that follows. */
  cause: Cause;
  /** The object that somebody asked for, when this one is only looked at along with it. */
  partOf?: ObjectRef;
  /** Invoices of the subscription `ref` that somebody spoke of. */
  invoices?: readonly string[];
  /** What an operator has declared of whoever has this Stripe customer. */
  declared?: (payer: Payer) => Declared;
}

export interface SyncResult {
  /**
   * `applied`: something is known now that was not. `unchanged`: Stripe says what is known already. `stale`: a newer
   * state was applied while this one was fetched. `ignored`: not ours, or nothing to know; never to be retried.
   * `parked`: ours perhaps, but nobody can say whose; to be tried again when more is known.
   */
  status: 'applied' | 'unchanged' | 'stale' | 'ignored' | 'parked';
  /** A stable snake_case word; null where the status says it all. */
  reason: string | null;
  projectId: string | null;
  /** Tollgate's own `cust_…`; null for an object that belongs to no customer. */
  customerId: string | null;
  /** Of what is parked: whom the evidence names. */
  candidates?: readonly Candidate[];
}
