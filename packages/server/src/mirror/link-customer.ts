import { wakeParked } from '../catalog/wake-parked.ts';
import type { CustomerRow } from '../customers/find.ts';
import type { Tx } from '../platform/database.ts';
import type { CustomerShape } from './shapes.ts';

/**
 * Remembers a customer's Stripe customer where none is known yet; the row must be locked, and who the customer is must be
 * proven: with the link goes the billing portal. What waited for the Stripe customer to become known is looked at again.
 *
 * The Stripe customer must be held (`holdObjects`), so that whoever hears meanwhile that it was deleted finds the link.
 * One that nobody has looked at yet cannot be held; should it be deleted in that moment, the next checkout or reconciliation
 * forgets it.
 * @returns false when the customer has another one, or another customer of the project has this one
 */
export async function linkStripeCustomer(
  tx: Tx,
  customer: CustomerRow,
  stripeCustomer: Pick<CustomerShape, 'id' | 'deleted'>,
  now: number,
): Promise<boolean> {
  if (customer.stripe_customer_id !== null) return customer.stripe_customer_id === stripeCustomer.id;
  // What Stripe deleted can pay for nothing more: the next checkout makes another.
  if (stripeCustomer.deleted === true) return false;
  if ((await deletedAmong(tx, customer.connection_id, [stripeCustomer.id])).size > 0) return false;
  const { numUpdatedRows } = await tx
    .updateTable('tollgate.customers as customer')
    .set({ stripe_customer_id: stripeCustomer.id, updated_at: new Date(now) })
    .where('customer.id', '=', customer.id)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('tollgate.customers as other')
            .select('other.id')
            .where('other.project_id', '=', customer.project_id)
            .where('other.connection_id', '=', customer.connection_id)
            .where('other.stripe_customer_id', '=', stripeCustomer.id),
        ),
      ),
    )
    .executeTakeFirstOrThrow();
  if (numUpdatedRows === 0n) return false;
  await wakeParked(tx, customer.connection_id, stripeCustomer.id);
  return true;
}

/** From now on nobody is linked to it, whatever was fetched before it was deleted and is saved only now. */
export async function rememberDeleted(tx: Tx, connectionId: string, stripeCustomerId: string, now: number) {
  await tx
    .updateTable('tollgate.object_sequences')
    .set({ deleted_at: new Date(now) })
    .where('connection_id', '=', connectionId)
    .where('object_id', '=', stripeCustomerId)
    .where('deleted_at', 'is', null)
    .execute();
}

/** Which of the Stripe customers are known to be deleted. */
export async function deletedAmong(tx: Tx, connectionId: string, stripeCustomerIds: readonly string[]) {
  const rows = await tx
    .selectFrom('tollgate.object_sequences')
    .select('object_id')
    .where('connection_id', '=', connectionId)
    .where((of) => of('object_id', '=', of.fn.any(of.val([...stripeCustomerIds]))))
    .where('deleted_at', 'is not', null)
    .execute();
  return new Set(rows.map(({ object_id }) => object_id));
}
