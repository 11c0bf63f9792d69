import { sql } from 'kysely';
import type { CustomerRow } from '../customers/find.ts';
import type { Tx } from '../platform/database.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import { customerCopy } from './customer-copy.ts';
import { deletedAmong } from './link-customer.ts';
import type { CustomerShape } from './shapes.ts';
import { wakeNamed } from './wake-named.ts';

/** A customer of the project whose rows are locked, and the Stripe customer that may be linked to it. */
export interface Linkable {
  customer: CustomerRow;
  stripeCustomer: CustomerShape;
  /** Whether who they are is beyond doubt: with the link goes the billing portal. */
  proven: boolean;
}

/**
 * Links the Stripe customers of those who have none, where who they are is proven, and copies email and name. All are
 * of one project. Of two Stripe customers of one person the first is linked; one that is another customer's stays there,
 * and one that was deleted since the list was read goes to nobody: they must be held, as for `linkStripeCustomer`.
 * @returns the ids of the Stripe customers that were linked
 */
export async function linkListed(
  tx: Tx,
  connection: StripeConnection,
  listed: readonly Linkable[],
  now: number,
): Promise<Set<string>> {
  const wanted = listed.filter(
    ({ customer, stripeCustomer, proven }) =>
      proven && customer.stripe_customer_id === null && stripeCustomer.deleted !== true,
  );
  const ids = wanted.map(({ stripeCustomer }) => stripeCustomer.id);
  const taken = await takenIn(tx, connection, wanted);
  const deleted = await deletedAmong(tx, connection.id, ids);
  const links = new Map<string, Linkable>();
  for (const one of wanted) {
    const { customer, stripeCustomer } = one;
    if (links.has(customer.id) || taken.has(stripeCustomer.id) || deleted.has(stripeCustomer.id)) continue;
    links.set(customer.id, one);
    taken.add(stripeCustomer.id);
  }
  if (links.size === 0) return new Set();
  const rows = [...links.values()].map(({ customer, stripeCustomer }) => ({
    id: customer.id,
    stripe_customer_id: stripeCustomer.id,
    ...customerCopy(stripeCustomer, customer),
  }));
  await sql`
    update tollgate.customers customer
       set stripe_customer_id = fresh.stripe_customer_id, email = fresh.email, name = fresh.name,
           updated_at = ${new Date(now)}
      from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
             as fresh (id text, stripe_customer_id text, email text, name text)
     where customer.id = fresh.id`.execute(tx);
  const linked = rows.map((row) => row.stripe_customer_id);
  await wakeNamed(tx, connection.id, linked);
  return new Set(linked);
}

/** Which of the Stripe customers somebody of the project has already. */
async function takenIn(tx: Tx, connection: StripeConnection, wanted: readonly Linkable[]): Promise<Set<string>> {
  const [first] = wanted;
  if (first === undefined) return new Set();
  const ids = wanted.map(({ stripeCustomer }) => stripeCustomer.id);
  const rows = await tx
    .selectFrom('tollgate.customers')
    .select('stripe_customer_id')
    .where('connection_id', '=', connection.id)
    .where('project_id', '=', first.customer.project_id)
    .where((of) => of('stripe_customer_id', '=', of.fn.any(of.val(ids))))
    .execute();
  return new Set(rows.flatMap(({ stripe_customer_id: id }) => id ?? []));
}
