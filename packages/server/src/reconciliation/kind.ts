import type { ObjectRef } from '../mirror/types.ts';
import type { Queryable } from '../platform/database.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import type { FieldChange } from './field-changes.ts';
import type { Scope } from './scope.ts';

/** The kinds of objects that are compared. */
export type KindName = 'product' | 'price' | 'customer' | 'subscription' | 'purchase';

/** `missing_in_stripe` says that Stripe, asked for this one object, has none. */
export type DriftKind = 'missing_locally' | 'missing_in_stripe' | 'different' | 'unreadable';

/** What came of comparing one object. */
export type Verdict =
  | { status: 'in_sync' }
  /** Not of this installation, or nothing that is kept. */
  | { status: 'ignored' }
  /** Ours perhaps, but nobody can say whose. */
  | { status: 'parked' }
  /** Ours, and outside of what this run looks at. */
  | { status: 'out_of_scope' }
  | { status: 'drift'; drift: Drift };

export interface Drift {
  kind: DriftKind;
  projectId: string | null;
  /** Tollgate's own `cust_…`. */
  customerId: string | null;
  fields: readonly FieldChange[];
  /** Since when the stored state has been known; null when nothing is stored. */
  since: Date | null;
  /** Why it could not be read. */
  detail?: string;
}

/** Everything that a comparison needs; it only reads. */
export interface Look {
  db: Queryable;
  connection: StripeConnection;
  scope: Scope;
  /** A call to Stripe, at the pace of that endpoint and again after what passes. */
  ask<T>(endpoint: KindName | 'event' | 'parked', call: () => Promise<T>): Promise<T>;
}

export interface StripePage<T> {
  data: readonly T[];
  has_more: boolean;
}

/** How objects of one kind are listed, compared and repaired. */
export interface Kind<T extends { id: string }> {
  name: KindName;
  /** One page of Stripe's list, newest first. */
  list(look: Look, page: { limit: number; startingAfter: string | undefined }): Promise<StripePage<T>>;
  /** Under which id the object is stored; null for what is never stored. */
  storedId(listed: T): string | null;
  /** Compares what the list shows with what is stored. */
  compare(look: Look, listed: T): Promise<Verdict>;
  /** Fetches the object by its stored id and compares that. */
  compareOne(look: Look, id: string): Promise<Verdict>;
  /** The ids of what is stored within the connection and scope, in order, after `after`, without what the run has met. */
  unmet(look: Look, page: { runId: string; after: string; limit: number }): Promise<string[]>;
  /** What the mirror syncs to repair it. */
  refOf(id: string): ObjectRef;
}
