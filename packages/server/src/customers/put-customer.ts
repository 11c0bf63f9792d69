import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database, Tx } from '../platform/database.ts';
import { enqueue } from '../platform/jobs.ts';
import { getProject } from '../projects/find-project.ts';
import type { Connections, StripeConnection } from '../stripe/connections.ts';
import { askStripe } from '../stripe/refusal.ts';
import { stamps } from '../stripe/stamps.ts';
import { ensureCustomer } from './ensure-customer.ts';
import { type CustomerRow, findCustomer } from './find.ts';
import { linked, refuseTaken, refuseUnlinkable, refuseWhileLinked } from './linkable.ts';
import { lockCustomer } from './lock.ts';

export interface CustomerDeps {
  db: Database;
  clock: Clock;
  connections: Connections;
}

export interface PutCustomerInput {
  projectId: string;
  /** The app's own id. */
  externalId: string;
  /** undefined leaves it as it is; null takes it away. */
  email?: string | null | undefined;
  name?: string | null | undefined;
  /** An existing Stripe customer to link. */
  stripeCustomerId?: string | undefined;
}

/**
 * Creates a customer, or changes what is known of it. Linking a Stripe customer stamps it, and has its subscriptions
 * and payments brought in afterwards.
 * @throws TollgateError `not_found` (project, or Stripe customer), `stripe_customer_taken`, `customer_linked`,
 *   `conflict`, `stripe_unavailable`, `stripe_refused`
 */
export async function putCustomer(
  deps: CustomerDeps,
  input: PutCustomerInput,
  context: AuditContext,
): Promise<CustomerRow> {
  const { projectId, externalId, stripeCustomerId } = input;
  const project = await getProject(deps.db, projectId);
  const known = await findCustomer(deps.db, projectId, externalId);
  if (stripeCustomerId === undefined) return await save(deps, input, context, null);

  const connection = deps.connections.get(known?.connection_id ?? project.connectionId);
  const present = known?.stripe_customer_id ?? null;
  await refuseUnlinkable(deps.db, connection, { projectId, externalId, stripeCustomerId }, known);
  if (present !== null && present !== stripeCustomerId) await refuseWhileLinked(connection, present);
  const customer = await save(deps, input, context, { stripeCustomerId, replaces: present });
  await stamp(connection, customer, stripeCustomerId);
  return customer;
}

/** @param link - what was found out in Stripe: the link holds only while the customer has what it had then */
async function save(
  { db, clock }: CustomerDeps,
  input: PutCustomerInput,
  context: AuditContext,
  link: { stripeCustomerId: string; replaces: string | null } | null,
): Promise<CustomerRow> {
  const { projectId, externalId, email, name } = input;
  return await db.transaction().execute(async (tx) => {
    const now = clock.now();
    const { id } = await ensureCustomer(tx, { projectId, externalId, now });
    const before = await lockCustomer(tx, id);
    const change = {
      ...(email === undefined || email === before.email ? {} : { email }),
      ...(name === undefined || name === before.name ? {} : { name }),
      ...(link === null ? {} : await linkChange(tx, before, link)),
    };
    if (Object.keys(change).length === 0) return before;
    const after = await tx
      .updateTable('tollgate.customers')
      .set({ ...change, updated_at: new Date(now) })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirstOrThrow();
    if ('stripe_customer_id' in change && link !== null) {
      await bringIn(tx, after.connection_id, link.stripeCustomerId);
      // What an app says of its users is its own affair; what decides about their access is on record.
      const detail = { stripe_customer: link.stripeCustomerId, replaces: before.stripe_customer_id };
      await recordAudit(tx, { ...context, action: 'customer.linked', projectId, customerId: id, detail }, now);
    }
    return after;
  });
}

async function linkChange(
  tx: Tx,
  customer: CustomerRow,
  { stripeCustomerId, replaces }: { stripeCustomerId: string; replaces: string | null },
) {
  const present = customer.stripe_customer_id;
  if (present === stripeCustomerId) return {};
  if (present !== null && present !== replaces) throw linked(present);
  await refuseTaken(tx, customer, stripeCustomerId);
  return {
    stripe_customer_id: stripeCustomerId,
    ...(present === null ? {} : { stripe_generation: customer.stripe_generation + 1 }),
  };
}

/** What the Stripe customer has already, and what was told of it before anyone knew whose it is. */
async function bringIn(tx: Tx, connectionId: string, stripeCustomerId: string): Promise<void> {
  const objectId = stripeCustomerId;
  const ref = { type: 'customer', id: objectId };
  await enqueue(tx, 'sync_object', { connectionId, ref }, { jobKey: `sync:${connectionId}:${objectId}` });
  await enqueue(tx, 'wake_parked', { connectionId, objectId }, { jobKey: `wake:${connectionId}:${objectId}` });
}

/** Last, so that nothing in Stripe carries the stamp of a customer that does not have it. A repeat stamps again. */
async function stamp({ client, installation }: StripeConnection, customer: CustomerRow, stripeCustomerId: string) {
  const metadata = stamps({ installation, projectId: customer.project_id, customerId: customer.id });
  await askStripe(() => client.customers.update(stripeCustomerId, { metadata }));
}
