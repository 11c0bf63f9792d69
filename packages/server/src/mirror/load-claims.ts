import type { Queryable } from '../platform/database.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import { readStamps } from '../stripe/stamps.ts';
import { attachmentsOf } from './attachments.ts';
import type { AttributionHints } from './attribute.ts';
import { type ClaimSource, claimsIn, type KnownCustomer, type KnownObject, type Owner } from './claim-source.ts';

/** Who has which of the known objects, for whoever has read them already. */
export type KnownOwner = Owner & Pick<KnownObject, 'kind' | 'id'>;

/**
 * Everything that the hints of many objects ask for, read together: whose a page of objects is costs four queries and
 * not six an object. It says what `claimsIn` says; what no hint names is looked up in the database all the same.
 * @param owners - of the known objects, all of them that are stored
 */
export async function loadClaims(
  db: Queryable,
  connection: Pick<StripeConnection, 'id'>,
  hints: readonly AttributionHints[],
  owners: readonly KnownOwner[],
): Promise<ClaimSource> {
  const single = claimsIn(db, connection);
  const asked = namedIn(hints);
  const attached = await attachmentsOf(db, connection, [...asked.objects]);
  const sold = await sellers(db, connection, asked);
  const projects = await projectsOf(db, connection, [
    ...asked.projects,
    ...owners.map((owner) => owner.project_id),
    ...sold.map((row) => row.project_id),
  ]);
  const customers = await customersOf(db, connection, asked, projects);

  const ownersBy = Map.groupBy(owners, ({ kind, id }) => `${kind} ${id}`);
  const sellersBy = Map.groupBy(sold, ({ id }) => id);
  const linkedBy = Map.groupBy(customers, ({ stripe_customer_id: id }) => id ?? '');
  const customerBy = new Map(customers.map((row) => [row.id, row]));
  const namedBy = new Map(customers.map((row) => [`${row.project_id} ${row.external_id}`, row]));
  return {
    attachment: async (ids) =>
      ids.every((id) => asked.objects.has(id))
        ? ids.map((id) => attached.get(id)).find((attachment) => attachment !== undefined)
        : await single.attachment(ids),
    ownersOf: async (known) =>
      asked.known.has(`${known.kind} ${known.id}`)
        ? (ownersBy.get(`${known.kind} ${known.id}`) ?? [])
        : await single.ownersOf(known),
    sellersOf: async ({ priceIds, productIds }) => {
      if (![...priceIds, ...productIds].every((id) => asked.sold.has(id))) {
        return await single.sellersOf({ priceIds, productIds });
      }
      const rows = [...priceIds, ...productIds].flatMap((id) => sellersBy.get(id) ?? []);
      return [...new Set(rows.map((row) => row.project_id))];
    },
    linkedTo: async (id) => (asked.stripeCustomers.has(id) ? (linkedBy.get(id) ?? []) : await single.linkedTo(id)),
    hasProject: async (id) => (asked.projects.has(id) ? projects.includes(id) : await single.hasProject(id)),
    customer: async (id) => customerBy.get(id) ?? (asked.customers.has(id) ? undefined : await single.customer(id)),
    named: async (projectId, externalIds) => {
      if (!projects.includes(projectId) || !externalIds.every((id) => asked.customers.has(id))) {
        return await single.named(projectId, externalIds);
      }
      return externalIds.map((id) => namedBy.get(`${projectId} ${id}`)).filter((row) => row !== undefined);
    },
  };
}

interface Asked {
  /** `kind id` of the known objects, and their ids alone. */
  known: Set<string>;
  objects: Set<string>;
  sold: Set<string>;
  stripeCustomers: Set<string>;
  projects: Set<string>;
  /** As stamps and client references name them: by Tollgate's id, or by the app's. */
  customers: Set<string>;
}

function namedIn(hints: readonly AttributionHints[]): Asked {
  const asked: Asked = {
    known: new Set(),
    objects: new Set(),
    sold: new Set(),
    stripeCustomers: new Set(),
    projects: new Set(),
    customers: new Set(),
  };
  for (const { known, metadata, stripeCustomer, priceIds, productIds, clientReferenceId, declared } of hints) {
    for (const { kind, id } of known) {
      asked.known.add(`${kind} ${id}`);
      asked.objects.add(id);
    }
    for (const id of [...priceIds, ...productIds]) asked.sold.add(id);
    if (stripeCustomer !== null) asked.stripeCustomers.add(stripeCustomer.id);
    if (clientReferenceId) asked.customers.add(clientReferenceId);
    if (declared !== undefined) asked.projects.add(declared.projectId);
    if (declared?.externalId) asked.customers.add(declared.externalId);
    for (const stamp of [...metadata, stripeCustomer?.metadata].map(readStamps)) {
      if (stamp?.projectId) asked.projects.add(stamp.projectId);
      if (stamp?.customerId) asked.customers.add(stamp.customerId);
    }
  }
  return asked;
}

async function sellers(db: Queryable, connection: Pick<StripeConnection, 'id'>, { sold }: Asked) {
  if (sold.size === 0) return [];
  const prices = db
    .selectFrom('tollgate.prices')
    .select(['id', 'project_id'])
    .where('connection_id', '=', connection.id)
    .where('id', 'in', [...sold]);
  const products = db
    .selectFrom('tollgate.products')
    .select(['id', 'project_id'])
    .where('connection_id', '=', connection.id)
    .where('id', 'in', [...sold]);
  return await db
    .selectFrom(prices.union(products).as('sold'))
    .innerJoin('tollgate.projects as project', 'project.id', 'sold.project_id')
    .where('project.connection_id', '=', connection.id)
    .select(['sold.id', 'sold.project_id'])
    .execute();
}

async function projectsOf(db: Queryable, connection: Pick<StripeConnection, 'id'>, ids: readonly string[]) {
  if (ids.length === 0) return [];
  const rows = await db
    .selectFrom('tollgate.projects')
    .select('id')
    .where('connection_id', '=', connection.id)
    .where('id', 'in', [...new Set(ids)])
    .execute();
  return rows.map(({ id }) => id);
}

async function customersOf(
  db: Queryable,
  connection: Pick<StripeConnection, 'id'>,
  asked: Asked,
  projects: readonly string[],
): Promise<(KnownCustomer & { stripe_customer_id: string | null })[]> {
  const [stripeIds, ids] = [[...asked.stripeCustomers], [...asked.customers]];
  const customers = db
    .selectFrom('tollgate.customers')
    .select(['id', 'project_id', 'external_id', 'stripe_customer_id'])
    .where('connection_id', '=', connection.id);
  // Each by an index of its own: for an OR of them PostgreSQL may well read the whole table.
  return await customers
    .where((of) => of('stripe_customer_id', '=', of.fn.any(of.val(stripeIds))))
    .union(customers.where((of) => of('id', '=', of.fn.any(of.val(ids)))))
    .union(
      customers
        .where((of) => of('project_id', '=', of.fn.any(of.val([...projects]))))
        .where((of) => of('external_id', '=', of.fn.any(of.val(ids)))),
    )
    .execute();
}
