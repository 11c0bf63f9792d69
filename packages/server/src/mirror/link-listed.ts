import type { SubscriptionFact } from '@tollgate/core';
import { sql } from 'kysely';
import type { CustomerRow } from '../customers/find.ts';
import type { Tx } from '../platform/database.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import type { CustomerShape } from './shapes.ts';
import { wakeNamed } from './wake-named.ts';

/** A listed subscription, and whose it is. */
export interface OwnedSubscription {
  customer: CustomerRow;
  fact: SubscriptionFact;
  stripeCustomer: CustomerShape;
  proven: boolean;
}

/**
 * Links the Stripe customers of those who have none, where who they are is proven, and copies email and name. The rows
 * are locked. Of two Stripe customers of one person the first is linked; one that is another customer's stays there.
 */
export async function linkListed(
  tx: Tx,
  connection: StripeConnection,
  owned: readonly OwnedSubscription[],
  now: number,
): Promise<void> {
  const links = new Map<string, OwnedSubscription>();
  const taken = new Set<string>();
  for (const one of owned) {
    const { customer, stripeCustomer, proven } = one;
    if (!proven || customer.stripe_customer_id !== null || stripeCustomer.deleted === true) continue;
    if (links.has(customer.id) || taken.has(stripeCustomer.id)) continue;
    links.set(customer.id, one);
    taken.add(stripeCustomer.id);
  }
  if (links.size === 0) return;
  const rows = [...links.values()].map(({ customer, stripeCustomer: { id, email, name } }) => ({
    id: customer.id,
    stripe_customer_id: id,
    email: email || customer.email,
    name: name || customer.name,
  }));
  const { rows: linked } = await sql<{ stripe_customer_id: string }>`
    update tollgate.customers customer
       set stripe_customer_id = fresh.stripe_customer_id, email = fresh.email, name = fresh.name,
           updated_at = ${new Date(now)}
      from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
             as fresh (id text, stripe_customer_id text, email text, name text)
     where customer.id = fresh.id
       and not exists (
         select from tollgate.customers other
          where other.project_id = customer.project_id and other.connection_id = customer.connection_id
            and other.stripe_customer_id = fresh.stripe_customer_id)
    returning fresh.stripe_customer_id`.execute(tx);
  await wakeNamed(
    tx,
    connection.id,
    linked.map((row) => row.stripe_customer_id),
  );
}
