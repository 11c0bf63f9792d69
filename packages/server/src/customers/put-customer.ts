import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database, Tx } from '../platform/database.ts';
import { getProject } from '../projects/find-project.ts';
import type { Connections, StripeConnection } from '../stripe/connections.ts';
import { askStripe, isMissing } from '../stripe/refusal.ts';
import { stamps } from '../stripe/stamps.ts';
import { bringIn, objectsOf, type StripeObject } from './bring-in.ts';
import { ensureCustomer } from './ensure-customer.ts';
import { type CustomerRow, findCustomer } from './find.ts';
import { linked, refuseServedElsewhere, refuseTaken, refuseUnlinkable, refuseWhileLinked } from './linkable.ts';
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
 * Creates a customer, or changes what is known of it. Email and name of one who pays through Stripe are changed there
 * first. Linking a Stripe customer stamps it, and has its subscriptions and purchases brought in afterwards.
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
  const connection = deps.connections.get(known?.connection_id ?? project.connectionId);
  const present = known?.stripe_customer_id ?? null;
  if (stripeCustomerId === undefined) {
    if (present !== null) await changeInStripe(connection, present, changesOf(input, known));
    return await save(deps, input, context, null);
  }

  await refuseUnlinkable(deps.db, connection, { projectId, externalId, stripeCustomerId }, known);
  if (present !== null && present !== stripeCustomerId) await refuseWhileLinked(connection, present);
  const has = present === stripeCustomerId ? [] : await objectsOf(connection, stripeCustomerId);
  const customer = await save(deps, input, context, { stripeCustomerId, replaces: present, has });
  // Last, so that nothing in Stripe carries the stamp of a customer that does not have it. A repeat does it again.
  const { id } = customer;
  const metadata = stamps({ installation: connection.installation, projectId, customerId: id });
  await changeInStripe(connection, stripeCustomerId, { ...changesOf(input, undefined), metadata });
  return customer;
}

/** What a request changes of a customer's email and name. */
function changesOf({ email, name }: PutCustomerInput, known: CustomerRow | undefined) {
  return {
    ...(email === undefined || email === known?.email ? {} : { email }),
    ...(name === undefined || name === known?.name ? {} : { name }),
  };
}

async function changeInStripe(
  { client }: StripeConnection,
  stripeCustomerId: string,
  change: { email?: string | null; name?: string | null; metadata?: Record<string, string> },
): Promise<void> {
  if (Object.keys(change).length === 0) return;
  const { email, name, metadata } = change;
  await askStripe(async () => {
    try {
      await client.customers.update(stripeCustomerId, {
        ...(email === undefined ? {} : { email: email ?? '' }),
        ...(name === undefined ? {} : { name: name ?? '' }),
        ...(metadata === undefined ? {} : { metadata }),
      });
    } catch (error) {
      // One that was deleted meanwhile has nothing left to change; the next checkout makes another.
      if (!isMissing(error)) throw error;
    }
  });
}

interface LinkToSave {
  stripeCustomerId: string;
  /** What the customer was linked to when Stripe was asked; the link holds only if that is still so. */
  replaces: string | null;
  has: readonly StripeObject[];
}

async function save(
  { db, clock }: CustomerDeps,
  input: PutCustomerInput,
  context: AuditContext,
  link: LinkToSave | null,
): Promise<CustomerRow> {
  const { projectId, externalId } = input;
  return await db.transaction().execute(async (tx) => {
    const now = clock.now();
    const { id } = await ensureCustomer(tx, { projectId, externalId, now });
    const before = await lockCustomer(tx, id);
    const change = {
      ...changesOf(input, before),
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
      await bringIn(tx, after, link.has);
      // What an app says of its users is its own affair; what decides about their access is on record.
      const detail = { stripe_customer: link.stripeCustomerId, replaces: before.stripe_customer_id };
      await recordAudit(tx, { ...context, action: 'customer.linked', projectId, customerId: id, detail }, now);
    }
    return after;
  });
}

async function linkChange(tx: Tx, customer: CustomerRow, { stripeCustomerId, replaces, has }: LinkToSave) {
  const present = customer.stripe_customer_id;
  if (present === stripeCustomerId) return {};
  if (present !== null && present !== replaces) throw linked(present);
  await refuseTaken(tx, customer, stripeCustomerId);
  await refuseServedElsewhere(tx, customer, has);
  return {
    stripe_customer_id: stripeCustomerId,
    ...(present === null ? {} : { stripe_generation: customer.stripe_generation + 1 }),
  };
}
