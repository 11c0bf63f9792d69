import type { AuditContext } from '../audit/context.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database, Tx } from '../platform/database.ts';
import { getProject } from '../projects/find-project.ts';
import type { Connections } from '../stripe/connections.ts';
import { changeInStripe } from './change-in-stripe.ts';
import { ensureCustomer } from './ensure-customer.ts';
import { type CustomerRow, findCustomer } from './find.ts';
import { askForLink, type PossibleLink, recordLinked, saveLink, stampLinked } from './link.ts';
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

  const link = await askForLink(deps.db, connection, { projectId, externalId, stripeCustomerId }, known);
  const customer = await save(deps, input, context, link);
  await stampLinked(link, customer, changesOf(input, undefined));
  return customer;
}

/** What a request changes of a customer's email and name. */
function changesOf({ email, name }: PutCustomerInput, known: CustomerRow | undefined) {
  return {
    ...(email === undefined || email === known?.email ? {} : { email }),
    ...(name === undefined || name === known?.name ? {} : { name }),
  };
}

async function save(
  { db, clock }: CustomerDeps,
  input: PutCustomerInput,
  context: AuditContext,
  link: PossibleLink | null,
): Promise<CustomerRow> {
  const { projectId, externalId } = input;
  return await db.transaction().execute(async (tx) => {
    const now = clock.now();
    const { id } = await ensureCustomer(tx, { projectId, externalId, now });
    const before = await lockCustomer(tx, id);
    const customer = await saveChanges(tx, before, changesOf(input, before), now);
    const linked = link === null ? null : await saveLink(tx, customer, link, now);
    if (link === null || linked === null) return customer;
    await recordLinked(tx, before, link, context, now);
    return linked;
  });
}

async function saveChanges(
  tx: Tx,
  customer: CustomerRow,
  changes: ReturnType<typeof changesOf>,
  now: number,
): Promise<CustomerRow> {
  if (Object.keys(changes).length === 0) return customer;
  return await tx
    .updateTable('tollgate.customers')
    .set({ ...changes, updated_at: new Date(now) })
    .where('id', '=', customer.id)
    .returningAll()
    .executeTakeFirstOrThrow();
}
