import type { Fact } from '@tollgate/core';
import type { CustomerRow } from '../customers/find.ts';
import type { ClaimSource } from '../mirror/claim-source.ts';
import type { ObjectRef } from '../mirror/types.ts';
import type { Queryable } from '../platform/database.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import type { Ask } from '../stripe/manner.ts';
import type { FieldChange } from './field-changes.ts';
import type { Scope } from './scope.ts';

/**
 * What is compared, in the order in which a run does it: products and prices first, since they say whose a subscription
 * is; invoices before subscriptions, whose repair brings in the latest payment without a word.
 */
export const KIND_NAMES = [
  'product',
  'price',
  'customer',
  'invoice',
  'subscription',
  'purchase',
  'invoice_payment',
] as const;
export type KindName = (typeof KIND_NAMES)[number];

/**
 * `missing_in_stripe` says that Stripe, asked for this one object, has none; `unattributed`, that it may be this
 * installation's and nobody can say whose it is; `contradiction`, that what is stored is not what it follows from.
 */
export const DRIFT_KINDS = [
  'missing_locally',
  'missing_in_stripe',
  'different',
  'unreadable',
  'unattributed',
  'contradiction',
] as const;
export type DriftKind = (typeof DRIFT_KINDS)[number];

/** What came of comparing one object. */
export type Verdict =
  /** `over`: nothing can come to differ any more, so that it need not be looked at again. */
  | { status: 'in_sync'; over?: boolean }
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
  /** When the object says that it became what it is, so far as it does. */
  changedAt?: Date | null;
  /** The object that its events speak of where that is another: an invoice's subscription, a purchase's session. */
  toldTo?: string | null;
  /** Why it could not be read. */
  detail?: string;
}

/** Everything that a comparison needs; it only reads. */
export interface Look {
  db: Queryable;
  connection: StripeConnection;
  scope: Scope;
  /** What was read together for a page of objects; without it everything is read when it is needed. */
  shelf?: Shelf;
  ask: Ask;
}

/** A fact as it is stored, with whose it is. */
export interface StoredFact<F> {
  projectId: string;
  /** Tollgate's own `cust_…`. */
  customerId: string;
  fact: F;
  recordedAt: Date;
}

/** What the ledger holds of a payment. */
export interface LedgerRow {
  id: string;
  /** Tollgate's own `cust_…`. */
  customerId: string;
  currency: string;
  amountMinor: number;
  invoiceId: string | null;
  /** Whether it is a fact of that customer too, which says whose it is. */
  isFact: boolean;
}

/** What is stored about a page of listed objects, by their ids; an id that is missing was not asked for. */
export interface Shelf {
  facts?: ReadonlyMap<string, readonly StoredFact<Fact>[]>;
  /** Who is linked to a Stripe customer. */
  customers?: ReadonlyMap<string, readonly CustomerRow[]>;
  ledger?: ReadonlyMap<string, LedgerRow>;
  /** The payment intents that were ever disputed. */
  disputed?: ReadonlySet<string>;
  claims?: ClaimSource;
}

export interface StripePage<T> {
  data: readonly T[];
  has_more: boolean;
}

export interface Unmet {
  /** By the database's clock: when the run began to look. */
  since: Date;
  /** The last id of the page before; '' for the first. */
  after: string;
  limit: number;
}

/** How objects of one kind are listed, compared and repaired. */
export interface Kind<T extends { id: string }> {
  name: KindName;
  /** One page of Stripe's list, newest first. */
  list(look: Look, page: { limit: number; startingAfter: string | undefined }): Promise<StripePage<T>>;
  /** Under which id the object is stored; null for what is never stored. */
  storedId(listed: T): string | null;
  /** Reads what is stored about a page of listed objects, so that comparing them takes no query each. */
  shelve?(look: Look, listed: readonly T[]): Promise<Shelf>;
  /** Compares what the list shows with what is stored. */
  compare(look: Look, listed: T): Promise<Verdict>;
  /** Fetches the object by its stored id and compares that. */
  compareOne(look: Look, id: string): Promise<Verdict>;
  /** The ids of what is stored within the connection and scope and has not been looked at, in order. */
  unmet(look: Look, page: Unmet): Promise<string[]>;
  /** What the mirror syncs to repair it. */
  refOf(id: string): ObjectRef;
}
