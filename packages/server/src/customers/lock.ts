import type { Tx } from '../platform/database.ts';
import type { CustomerRow } from './find.ts';

/**
 * Takes the customer's row until the transaction ends: whoever changes what a customer has comes one at a time. The
 * order of locks is the same everywhere: the object's sequence, then the customer, then the rest.
 * @param customerId - Tollgate's own `cust_…`
 * @throws Error when there is no such customer
 */
export async function lockCustomer(tx: Tx, customerId: string): Promise<CustomerRow> {
  const row = await tx
    .selectFrom('tollgate.customers')
    .selectAll()
    .where('id', '=', customerId)
    .forUpdate()
    .executeTakeFirst();
  if (row === undefined) throw new Error(`There is no customer ${customerId}.`);
  return row;
}
