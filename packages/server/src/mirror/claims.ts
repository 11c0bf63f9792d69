/** What is stored here that says whose an object of Stripe's is. */
import type { Queryable } from '../platform/database.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import type { Stamp } from '../stripe/stamps.ts';
import type { AttributionHints, ParkedReason } from './attribute.ts';

/** Whom one source names; null where it does not say. */
export interface Claim {
  /** Whether only the business can have said so: by a stamp, or by a session that Tollgate made. */
  proof: boolean;
  projectId: string | null;
  customerId: string | null;
  /** The app's own id of a customer that has not been seen yet. */
  externalId: string | null;
}

/** Who has the objects that are known already; a project of another connection has none of them. */
export async function knownClaims(
  db: Queryable,
  connection: StripeConnection,
  known: AttributionHints['known'],
): Promise<Claim[]> {
  const claims: Claim[] = [];
  for (const { kind, id } of known) {
    const owners =
      kind === 'checkout_session'
        ? db.selectFrom('tollgate.checkout_sessions as object').where('object.id', '=', id)
        : db.selectFrom('tollgate.facts as object').where('object.kind', '=', kind).where('object.object_id', '=', id);
    const rows = await owners
      .innerJoin('tollgate.projects as project', 'project.id', 'object.project_id')
      .where('project.connection_id', '=', connection.id)
      .select(['object.project_id', 'object.customer_id'])
      .execute();
    const proof = kind === 'checkout_session';
    const claim = (row: (typeof rows)[number]): Claim => ({
      proof,
      projectId: row.project_id,
      customerId: row.customer_id,
      externalId: null,
    });
    for (const row of rows) claims.push(claim(row));
  }
  return claims;
}

/** The projects that sell any of the prices or products. */
export async function catalogProjects(
  db: Queryable,
  connection: StripeConnection,
  { priceIds, productIds }: AttributionHints,
): Promise<string[]> {
  const prices = db
    .selectFrom('tollgate.prices as sold')
    .select('sold.project_id')
    .where('sold.id', 'in', [...priceIds, '']);
  const products = db
    .selectFrom('tollgate.products as sold')
    .select('sold.project_id')
    .where('sold.id', 'in', [...productIds, '']);
  const rows = await db
    .selectFrom(prices.union(products).as('sold'))
    .innerJoin('tollgate.projects as project', 'project.id', 'sold.project_id')
    .where('project.connection_id', '=', connection.id)
    .select('project.id')
    .execute();
  return rows.map((row) => row.id);
}

/** The customers, one a project, that are linked to the Stripe customer. */
export async function linkedCustomers(
  db: Queryable,
  connection: StripeConnection,
  stripeCustomerId: string | undefined,
) {
  if (stripeCustomerId === undefined) return [];
  return await db
    .selectFrom('tollgate.customers')
    .select(['id', 'project_id'])
    .where('connection_id', '=', connection.id)
    .where('stripe_customer_id', '=', stripeCustomerId)
    .execute();
}

/** What a stamp says, as far as it names something that there is. */
export async function claimOf(
  db: Queryable,
  connection: StripeConnection,
  stamp: Stamp,
): Promise<Claim | ParkedReason> {
  const { customerId } = stamp;
  if (stamp.projectId !== null) {
    const project = await db
      .selectFrom('tollgate.projects')
      .select('id')
      .where('id', '=', stamp.projectId)
      .where('connection_id', '=', connection.id)
      .executeTakeFirst();
    if (project === undefined) return 'stamped_project_unknown';
  }
  if (customerId === null) return { proof: false, projectId: stamp.projectId, customerId: null, externalId: null };
  const own = await db
    .selectFrom('tollgate.customers')
    .select(['id', 'project_id'])
    .where('id', '=', customerId)
    .where('connection_id', '=', connection.id)
    .executeTakeFirst();
  if (own !== undefined) {
    const elsewhere = stamp.projectId !== null && stamp.projectId !== own.project_id;
    return elsewhere
      ? 'project_conflict'
      : { proof: true, projectId: own.project_id, customerId: own.id, externalId: null };
  }
  // One of our own ids that nobody has: a database that was restored, or not yet committed. Never an app's id.
  if (isOwnId(customerId)) return 'stamped_customer_unknown';
  if (!isExternalId(customerId)) return 'stamped_customer_unknown';
  return { proof: true, projectId: stamp.projectId, customerId: null, externalId: customerId };
}

const OWN_ID = /^cust_[0-9a-hjkmnp-tv-z]{26}$/;

/** Whether a text has the form of Tollgate's own customer ids. */
export function isOwnId(text: string): boolean {
  return OWN_ID.test(text);
}

/** What the API takes for an app's customer id. */
export function isExternalId(text: string): boolean {
  return text.length >= 1 && text.length <= 200 && !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(text);
}

/** Those of the project's customers that have one of the app's own ids. */
export async function customersByExternalId(db: Queryable, projectId: string, externalIds: readonly string[]) {
  if (externalIds.length === 0) return [];
  return await db
    .selectFrom('tollgate.customers')
    .select(['id', 'external_id'])
    .where('project_id', '=', projectId)
    .where('external_id', 'in', externalIds)
    .execute();
}
