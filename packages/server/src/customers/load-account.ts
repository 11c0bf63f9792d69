import type { PurchaseFact, SubscriptionFact } from '@tollgate/core';
import { loadFacts } from '../facts/load-facts.ts';
import type { Queryable } from '../platform/database.ts';
import type { GrantRow } from './grant-fields.ts';

/** How many of each kind are shown; nobody reads more at once. */
const MAX_SHOWN = 100;

/** What a customer bought and was granted, newest first, what has ended among it. */
export interface Account {
  subscriptions: SubscriptionFact[];
  purchases: PurchaseFact[];
  grants: GrantRow[];
  /** Whether there is more of any kind. */
  truncated: boolean;
}

/** @param customerId - Tollgate's own `cust_…` */
export async function loadAccount(db: Queryable, customerId: string): Promise<Account> {
  const facts = await loadFacts(db, customerId);
  const subscriptions = facts
    .filter((fact) => fact.kind === 'subscription')
    .sort((a, b) => b.startedAt - a.startedAt || (a.id < b.id ? 1 : -1));
  const purchases = facts
    .filter((fact) => fact.kind === 'purchase')
    // One that is not paid yet is the newest of all.
    .sort((a, b) => (b.paidAt ?? Infinity) - (a.paidAt ?? Infinity) || (a.id < b.id ? 1 : -1));
  const grants = await db
    .selectFrom('tollgate.grants')
    .selectAll()
    .where('customer_id', '=', customerId)
    .orderBy('id', 'desc')
    .limit(MAX_SHOWN + 1)
    .execute();
  return {
    subscriptions: subscriptions.slice(0, MAX_SHOWN),
    purchases: purchases.slice(0, MAX_SHOWN),
    grants: grants.slice(0, MAX_SHOWN),
    truncated: [subscriptions, purchases, grants].some((list) => list.length > MAX_SHOWN),
  };
}
