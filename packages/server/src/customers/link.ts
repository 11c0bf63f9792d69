/**
 * Links a customer with a Stripe customer that there is. No transaction asks Stripe, so that it takes steps: `askForLink`
 * before it, `saveLink` and `recordLinked` in it, and `stampLinked` after its commit.
 */
import type { AuditContext } from '../audit/context.ts';
import { type AuditAct, recordAudit } from '../audit/record.ts';
import type { Queryable, Tx } from '../platform/database.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import { stamps } from '../stripe/stamps.ts';
import { bringIn, objectsOf, type StripeObject } from './bring-in.ts';
import { changeInStripe, type StripeCustomerChange } from './change-in-stripe.ts';
import type { CustomerRow } from './find.ts';
import {
  type Link,
  linked,
  refuseServedElsewhere,
  refuseTaken,
  refuseUnlinkable,
  refuseWhileLinked,
} from './linkable.ts';

/** A link that nothing in Stripe speaks against. */
export interface PossibleLink {
  connection: StripeConnection;
  stripeCustomerId: string;
  /** What the customer was linked to when Stripe was asked; the link holds only if that is still so. */
  replaces: string | null;
  has: readonly StripeObject[];
}

/**
 * Asks Stripe for what a link needs.
 * @param known - the customer, when there is one already
 * @throws TollgateError `not_found`, `stripe_customer_taken`, `customer_linked`, `conflict`, `stripe_unavailable`,
 *   `stripe_refused`
 */
export async function askForLink(
  db: Queryable,
  connection: StripeConnection,
  link: Link,
  known: CustomerRow | undefined,
): Promise<PossibleLink> {
  const { stripeCustomerId } = link;
  const replaces = known?.stripe_customer_id ?? null;
  await refuseUnlinkable(db, connection, link, known);
  if (replaces !== null && replaces !== stripeCustomerId) await refuseWhileLinked(connection, replaces);
  const has = replaces === stripeCustomerId ? [] : await objectsOf(connection, stripeCustomerId);
  return { connection, stripeCustomerId, replaces, has };
}

/**
 * Writes the link down, and has what the Stripe customer has brought in after the commit. Its entry in the audit trail
 * is the caller's to make (`recordLinked`), behind the last lock.
 * @param customer - with its row locked
 * @returns the customer with the link; null when it had it already
 * @throws TollgateError `not_found`, `stripe_customer_taken`, `customer_linked`
 */
export async function saveLink(
  tx: Tx,
  customer: CustomerRow,
  { stripeCustomerId, replaces, has }: PossibleLink,
  now: number,
): Promise<CustomerRow | null> {
  const present = customer.stripe_customer_id;
  if (present === stripeCustomerId) return null;
  if (present !== null && present !== replaces) throw linked(present);
  await refuseTaken(tx, customer, stripeCustomerId);
  await refuseServedElsewhere(tx, customer, has);
  const after = await tx
    .updateTable('tollgate.customers')
    .set({
      stripe_customer_id: stripeCustomerId,
      ...(present === null ? {} : { stripe_generation: customer.stripe_generation + 1 }),
      updated_at: new Date(now),
    })
    .where('id', '=', customer.id)
    .returningAll()
    .executeTakeFirstOrThrow();
  await bringIn(tx, after, has);
  return after;
}

/**
 * What an app says of its users is its own affair; what decides about their access is on record.
 * @param before - the customer without the link
 */
export async function recordLinked(
  tx: Tx,
  before: CustomerRow,
  { stripeCustomerId }: PossibleLink,
  context: AuditContext & Pick<AuditAct, 'reason'>,
  now: number,
): Promise<void> {
  const { id: customerId, project_id: projectId, stripe_customer_id: replaces } = before;
  const detail = { stripe_customer: stripeCustomerId, replaces };
  await recordAudit(tx, { ...context, action: 'customer.linked', projectId, customerId, detail }, now);
}

/**
 * Stamps the Stripe customer. Last, so that nothing in Stripe carries the stamp of a customer that does not have it. A
 * repeat does it again.
 * @param change - what else is changed of it
 * @throws TollgateError `stripe_unavailable`, `stripe_refused`
 */
export async function stampLinked(
  { connection, stripeCustomerId }: PossibleLink,
  { id: customerId, project_id: projectId }: CustomerRow,
  change: Omit<StripeCustomerChange, 'metadata'> = {},
): Promise<void> {
  const metadata = stamps({ installation: connection.installation, projectId, customerId });
  await changeInStripe(connection, stripeCustomerId, { ...change, metadata });
}
