import { wakeParked } from '../catalog/wake-parked.ts';
import type { CustomerRow } from '../customers/find.ts';
import type { Database, Queryable } from '../platform/database.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import { askStripe } from '../stripe/refusal.ts';
import { stamps } from '../stripe/stamps.ts';
import type { CheckoutDeps } from './deps.ts';

/** A deleted Stripe customer is replaced; more than this many in a row means that something else is wrong. */
const MAX_TRIES = 5;

/**
 * The customer's Stripe customer, created on first need. However many ask at once, from however many processes, one is
 * created: Stripe gets the same idempotency key from all of them. It is created with stamps only, as the same key with
 * another body is an error at Stripe; email and name are set afterwards.
 * @param input.customerId - Tollgate's own `cust_…`
 * @returns Stripe's `cus_…`
 * @throws TollgateError `stripe_unavailable`, `stripe_refused`
 */
export async function ensureStripeCustomer(
  deps: Pick<CheckoutDeps, 'db' | 'clock' | 'connections'>,
  { projectId, customerId }: { projectId: string; customerId: string },
): Promise<string> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const customer = await customerById(deps.db, projectId, customerId);
    if (customer.stripe_customer_id !== null) return customer.stripe_customer_id;
    const connection = deps.connections.get(customer.connection_id);
    const created = await createInStripe(connection, customer);
    if (created === null) {
      // Stripe replayed the creation of a customer that was deleted since.
      await skipGeneration(deps, customer);
      continue;
    }
    if (await keep(deps, customer, created)) return created;
  }
  throw new Error(`No Stripe customer could be made for ${customerId} in ${MAX_TRIES} tries.`);
}

/**
 * Forgets a Stripe customer that was deleted, so that the next one to need it creates another.
 * @param stripeCustomerId - the deleted one; if another has taken its place meanwhile, nothing changes
 */
export async function forgetStripeCustomer(
  deps: Pick<CheckoutDeps, 'db' | 'clock'>,
  { customerId, stripeCustomerId }: { customerId: string; stripeCustomerId: string },
): Promise<void> {
  await deps.db
    .updateTable('tollgate.customers')
    .set((set) => ({
      stripe_customer_id: null,
      stripe_generation: set('stripe_generation', '+', 1),
      updated_at: new Date(deps.clock.now()),
    }))
    .where('id', '=', customerId)
    .where('stripe_customer_id', '=', stripeCustomerId)
    .execute();
}

/** @returns null when the customer that Stripe made for this key has been deleted */
async function createInStripe({ client, installation }: StripeConnection, customer: CustomerRow) {
  const { project_id: projectId, id: customerId, stripe_generation: generation, email, name } = customer;
  const created = await askStripe(() =>
    client.customers.create(
      { metadata: stamps({ installation, projectId, customerId }) },
      {
        idempotencyKey: `tollgate:customer:${installation}:${projectId}:${customerId}:${generation}`,
        // While another process's call with the same key runs, Stripe answers 409.
        maxNetworkRetries: 2,
      },
    ),
  );
  // A replay tells of the customer as it was on the day.
  const present = await askStripe(() => client.customers.retrieve(created.id));
  if (present.deleted === true) return null;
  // Before the id is kept: whoever finds it kept finds it complete.
  if (email !== null || name !== null) {
    const known = { ...(email === null ? {} : { email }), ...(name === null ? {} : { name }) };
    await askStripe(() => client.customers.update(created.id, known));
  }
  return created.id;
}

/** @returns false when another has been kept meanwhile, or the generation has passed */
async function keep(
  { db, clock }: Pick<CheckoutDeps, 'db' | 'clock'>,
  customer: CustomerRow,
  stripeCustomerId: string,
): Promise<boolean> {
  return await db.transaction().execute(async (tx) => {
    const { numUpdatedRows } = await tx
      .updateTable('tollgate.customers')
      .set({ stripe_customer_id: stripeCustomerId, updated_at: new Date(clock.now()) })
      .where('id', '=', customer.id)
      .where('stripe_generation', '=', customer.stripe_generation)
      .where('stripe_customer_id', 'is', null)
      .executeTakeFirstOrThrow();
    if (numUpdatedRows === 0n) return false;
    await wakeParked(tx, customer.connection_id, stripeCustomerId);
    return true;
  });
}

async function skipGeneration(
  { db, clock }: { db: Database; clock: CheckoutDeps['clock'] },
  customer: CustomerRow,
): Promise<void> {
  await db
    .updateTable('tollgate.customers')
    .set({ stripe_generation: customer.stripe_generation + 1, updated_at: new Date(clock.now()) })
    .where('id', '=', customer.id)
    .where('stripe_generation', '=', customer.stripe_generation)
    .where('stripe_customer_id', 'is', null)
    .execute();
}

async function customerById(db: Queryable, projectId: string, customerId: string): Promise<CustomerRow> {
  const row = await db
    .selectFrom('tollgate.customers')
    .selectAll()
    .where('id', '=', customerId)
    .where('project_id', '=', projectId)
    .executeTakeFirst();
  if (row === undefined) throw new Error(`There is no customer ${customerId} in project ${projectId}.`);
  return row;
}
