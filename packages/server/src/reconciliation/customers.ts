import type { CustomerRow } from '../customers/find.ts';
import { attributeBy } from '../mirror/attribute.ts';
import { claimsIn } from '../mirror/claim-source.ts';
import { customerCopy } from '../mirror/customer-copy.ts';
import { fetchCustomer } from '../mirror/fetch-customer.ts';
import { loadClaims } from '../mirror/load-claims.ts';
import { parseShape } from '../mirror/parse-shape.ts';
import { CustomerShape } from '../mirror/shapes.ts';
import { customerHints } from '../mirror/sync-customer.ts';
import type { Stripe } from '../stripe/types.ts';
import { fieldChanges } from './field-changes.ts';
import type { Kind, Look, Shelf, Verdict } from './kind.ts';
import { notSeen } from './stored-facts.ts';
import { outOfScope, ownerOf } from './verdicts.ts';

/** Stripe customers that are linked, and those that are stamped for a customer and never were. */
export const customers: Kind<Stripe.Customer> = {
  name: 'customer',
  refOf: (id) => ({ type: 'customer', id }),
  storedId: ({ id }) => id,

  async list(look, { limit, startingAfter }) {
    // Of one customer there is one at most, and what is stored is asked for afterwards.
    if (look.scope.customerId !== null) return { data: [], has_more: false };
    const from = startingAfter === undefined ? {} : { starting_after: startingAfter };
    return await look.connection.client.customers.list({ limit, ...from });
  },

  async shelve(look, listed) {
    const linked = Map.groupBy(
      await linkedToAny(
        look,
        listed.map(({ id }) => id),
      ),
      ({ stripe_customer_id: id }) => id,
    );
    const unlinked = listed.filter(({ id }) => !linked.has(id));
    const claims = await loadClaims(
      look.db,
      look.connection,
      unlinked.map((one) => customerHints(one)),
      [],
    );
    return { customers: new Map(listed.map(({ id }) => [id, linked.get(id) ?? []])), claims } satisfies Shelf;
  },

  compare: async (look, listed) => await compareFetched(look, parseShape(CustomerShape, listed, 'customer')),

  async compareOne(look, id) {
    const customer = await look.ask('customer', () => fetchCustomer(look.connection, id));
    if (customer !== null) return await compareFetched(look, customer);
    const [linked] = await linkedToAny(look, [id]);
    if (linked === undefined) return { status: 'in_sync' };
    const fields = [{ field: 'stripe_customer_id', before: id, after: null }];
    return different(linked, 'missing_in_stripe', fields);
  },

  async unmet({ db, connection, scope }, { since, after, limit }) {
    let query = db
      .selectFrom('tollgate.customers as customer')
      .where('customer.connection_id', '=', connection.id)
      .where('customer.stripe_customer_id', '>', after)
      .where(notSeen(connection.id, 'customer', 'customer.stripe_customer_id', since))
      .select('customer.stripe_customer_id')
      .distinct()
      .orderBy('customer.stripe_customer_id')
      .limit(limit);
    if (scope.projectId !== null) query = query.where('customer.project_id', '=', scope.projectId);
    if (scope.customerId !== null) query = query.where('customer.id', '=', scope.customerId);
    return (await query.execute()).flatMap(({ stripe_customer_id: id }) => (id === null ? [] : [id]));
  },
};

async function compareFetched(look: Look, customer: CustomerShape): Promise<Verdict> {
  const linked = look.shelf?.customers?.get(customer.id) ?? (await linkedToAny(look, [customer.id]));
  if (linked.length === 0) return await compareUnlinked(look, customer);
  const within = linked.filter((row) => !outOfScope(look.scope, { projectId: row.project_id, customerId: row.id }));
  if (within.length === 0) return { status: 'out_of_scope' };
  for (const row of within) {
    const { email, name } = row;
    const fields =
      customer.deleted === true
        ? [{ field: 'deleted', before: false, after: true }]
        : fieldChanges({ email, name }, customerCopy(customer, row));
    if (fields.length > 0) return different(row, 'different', fields);
  }
  return { status: 'in_sync' };
}

/** One that nobody is linked to: the stamps say whose it is. */
async function compareUnlinked(look: Look, customer: CustomerShape): Promise<Verdict> {
  const claims = look.shelf?.claims ?? claimsIn(look.db, look.connection);
  const found = await attributeBy(claims, look.connection.installation, customerHints(customer));
  if (found.status === 'ignored' || found.status === 'parked') return { status: found.status };
  const owner = ownerOf(found);
  if (outOfScope(look.scope, owner)) return { status: 'out_of_scope' };
  const row = owner.customerId === null ? undefined : await customerById(look, owner.customerId);
  // The customer has another one in Stripe: nobody can say which of them counts.
  if (row !== undefined && row.stripe_customer_id !== null) return { status: 'parked' };
  const fields = [{ field: 'stripe_customer_id', before: null, after: customer.id }];
  return { status: 'drift', drift: { kind: 'missing_locally', ...owner, fields, since: null } };
}

function different(
  row: CustomerRow,
  kind: 'different' | 'missing_in_stripe',
  fields: ReturnType<typeof fieldChanges>,
): Verdict {
  const drift = { kind, projectId: row.project_id, customerId: row.id, fields, since: row.updated_at };
  return { status: 'drift', drift };
}

async function linkedToAny({ db, connection }: Look, stripeCustomerIds: readonly string[]): Promise<CustomerRow[]> {
  return await db
    .selectFrom('tollgate.customers')
    .selectAll()
    .where('connection_id', '=', connection.id)
    .where((of) => of('stripe_customer_id', '=', of.fn.any(of.val([...stripeCustomerIds]))))
    .orderBy('id')
    .execute();
}

async function customerById({ db }: Look, id: string): Promise<CustomerRow | undefined> {
  return await db.selectFrom('tollgate.customers').selectAll().where('id', '=', id).executeTakeFirst();
}
