import type { Queryable } from '../platform/database.ts';
import type { StripeConnection } from '../stripe/connections.ts';

/** What an object of Stripe's says about whose it is. */
export interface AttributionHints {
  /** The object itself: a fact (`subscription`, `purchase`) or checkout session that is known settles the question. */
  known: readonly { kind: 'subscription' | 'purchase' | 'checkout_session'; id: string }[];
  /** The metadata of the object, and of those that were made together with it. */
  metadata: readonly (Readonly<Record<string, string>> | null | undefined)[];
  /** `metadata` is null when the customer was not read. */
  stripeCustomer: { id: string; metadata: Readonly<Record<string, string>> | null } | null;
  priceIds: readonly string[];
  productIds: readonly string[];
  /** Set on payment links and foreign sessions: the app's own id of the customer. The payer can change it. */
  clientReferenceId?: string | null;
}

export type Attribution =
  | { status: 'ours'; projectId: string; customerId: string }
  /** Ours, by an app's own customer id that has never been seen: saving creates the customer. */
  | { status: 'new_customer'; projectId: string; externalId: string }
  | { status: 'ignored'; reason: string }
  | { status: 'parked'; reason: string };

/** Finds out whose an object is. Reads only. */
export async function attribute(
  _db: Queryable,
  _connection: StripeConnection,
  _hints: AttributionHints,
): Promise<Attribution> {
  throw new Error('Cannot attribute yet.');
}
