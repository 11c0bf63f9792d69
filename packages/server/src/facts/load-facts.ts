import type { Fact } from '@tollgate/core';
import type { Queryable } from '../platform/database.ts';
import { sharedPayments } from './shared-payments.ts';

/** Everything that is known of one customer now, by its `cust_…` id. */
export async function loadFacts(db: Queryable, customerId: string): Promise<Fact[]> {
  return (await loadFactsOf(db, [customerId])).get(customerId) ?? [];
}

/** The facts of several customers, by customer; one without facts is missing. */
export async function loadFactsOf(db: Queryable, customerIds: readonly string[]): Promise<Map<string, Fact[]>> {
  const rows = await db
    .selectFrom('tollgate.facts')
    .select(['customer_id', 'body'])
    .where('customer_id', 'in', customerIds)
    .orderBy('kind')
    .orderBy('object_id')
    .execute();
  const byCustomer = new Map<string, Fact[]>();
  for (const { customer_id, body } of [...rows, ...(await sharedPayments(db, customerIds))]) {
    const facts = byCustomer.get(customer_id);
    if (facts === undefined) byCustomer.set(customer_id, [body]);
    else facts.push(body);
  }
  return byCustomer;
}
