import { sql } from 'kysely';
import type { Queryable, Tx } from '../platform/database.ts';
import { notFound, TollgateError } from '../platform/errors.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import { askStripe, isMissing } from '../stripe/refusal.ts';
import { readStamps } from '../stripe/stamps.ts';
import type { StripeObject } from './bring-in.ts';
import type { CustomerRow } from './find.ts';

export interface Link {
  projectId: string;
  /** The app's own id. */
  externalId: string;
  stripeCustomerId: string;
}

/**
 * Makes sure that a Stripe customer exists and carries nobody else's stamp.
 * @param known - the customer that it is to be linked with, when there is one already
 * @throws TollgateError `not_found` (also for another project's), `stripe_customer_taken`, `conflict`,
 *   `stripe_unavailable`, `stripe_refused`
 */
export async function refuseUnlinkable(
  db: Queryable,
  connection: StripeConnection,
  link: Link,
  known: CustomerRow | undefined,
): Promise<void> {
  const found = await retrieve(connection, link.stripeCustomerId);
  if (found === null) throw noSuchStripeCustomer();
  const stamp = readStamps(found.metadata);
  if (stamp === null) return;
  // One that was marked by hand may name no installation.
  if (stamp.installation !== '' && stamp.installation !== connection.installation) {
    throw new TollgateError(
      'conflict',
      'The Stripe customer belongs to another Tollgate installation. Take tollgate_installation, tollgate_project and tollgate_customer out of its metadata in Stripe, if that installation no longer needs it.',
    );
  }
  if (stamp.projectId !== null && stamp.projectId !== link.projectId) throw noSuchStripeCustomer();
  if (stamp.customerId === null || stamp.customerId === link.externalId || stamp.customerId === known?.id) return;
  const { customerId } = stamp;
  const holder = await db
    .selectFrom('tollgate.customers')
    .select('id')
    .where('project_id', '=', link.projectId)
    .where((where) => where.or([where('id', '=', customerId), where('external_id', '=', customerId)]))
    .executeTakeFirst();
  if (holder !== undefined) throw taken();
}

/**
 * The same for what is known here; whoever links the same Stripe customer meanwhile waits for the transaction's end.
 * @throws TollgateError `not_found` when another project has it, `stripe_customer_taken`
 */
export async function refuseTaken(tx: Tx, customer: CustomerRow, stripeCustomerId: string): Promise<void> {
  const lock = `link:${customer.connection_id}:${stripeCustomerId}`;
  await sql`select pg_advisory_xact_lock(hashtextextended(${lock}, 0))`.execute(tx);
  const holder = await tx
    .selectFrom('tollgate.customers')
    .select('project_id')
    .where('stripe_customer_id', '=', stripeCustomerId)
    .where('connection_id', '=', customer.connection_id)
    .where('id', '<>', customer.id)
    .executeTakeFirst();
  if (holder !== undefined) throw holder.project_id === customer.project_id ? taken() : noSuchStripeCustomer();
}

/**
 * Who pays another project through a link of Stripe's carries nobody's stamp: what was bought says whose customer it is.
 * With the link would go that project's invoices, and its billing portal.
 * @param has - everything that the Stripe customer has
 * @throws TollgateError `not_found`
 */
export async function refuseServedElsewhere(
  tx: Tx,
  { project_id, connection_id }: CustomerRow,
  has: readonly StripeObject[],
): Promise<void> {
  if (has.length === 0) return;
  const ids = has.map(({ id }) => id);
  const facts = tx
    .selectFrom('tollgate.facts')
    .select('project_id')
    .where('kind', 'in', ['subscription', 'purchase'])
    .where('object_id', 'in', ids);
  const payments = tx.selectFrom('tollgate.payments').select('project_id').where('checkout_session_id', 'in', ids);
  const productIds = ['', ...has.flatMap((object) => object.productIds)];
  const products = tx.selectFrom('tollgate.products').select('project_id').where('id', 'in', productIds);
  const elsewhere = await tx
    .selectFrom(facts.union(payments).union(products).as('served'))
    .innerJoin('tollgate.projects as project', 'project.id', 'served.project_id')
    .where('project.connection_id', '=', connection_id)
    .where('project.id', '<>', project_id)
    .select('project.id')
    .executeTakeFirst();
  if (elsewhere !== undefined) throw noSuchStripeCustomer();
}

/**
 * A customer keeps the Stripe customer that it has, for as long as that exists: its subscriptions hang on it.
 * @throws TollgateError `customer_linked`, `stripe_unavailable`
 */
export async function refuseWhileLinked(connection: StripeConnection, present: string): Promise<void> {
  if ((await retrieve(connection, present)) !== null) throw linked(present);
}

/** The refusal to link a customer that has another Stripe customer. */
export function linked(present: string): TollgateError {
  return new TollgateError(
    'customer_linked',
    'The customer is linked to another Stripe customer. Only when that one is deleted in Stripe can another be linked.',
    [{ path: 'stripe_customer_id', message: 'is not the one that the customer has' }],
    { stripe_customer_id: present },
  );
}

/** Null for one that does not exist or is deleted. */
async function retrieve({ client }: StripeConnection, id: string) {
  return await askStripe(async () => {
    try {
      const found = await client.customers.retrieve(id);
      return found.deleted === true ? null : found;
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  });
}

function noSuchStripeCustomer(): TollgateError {
  return notFound('customer in Stripe');
}

function taken(): TollgateError {
  return new TollgateError(
    'stripe_customer_taken',
    'The Stripe customer belongs to another customer of the project. A Stripe customer can be linked to one only.',
    [{ path: 'stripe_customer_id', message: 'belongs to another customer' }],
  );
}
