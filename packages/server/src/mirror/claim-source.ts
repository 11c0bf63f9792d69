/** What is stored of one connection that says whose objects of Stripe's are: looked up for one object, or for many together. */
import type { Queryable } from '../platform/database.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import { type Attachment, attachmentOf } from './attachments.ts';

/** An object that is known here; a checkout session among them is one that Tollgate made. */
export interface KnownObject {
  kind: 'subscription' | 'purchase' | 'checkout_session';
  id: string;
}

export interface Owner {
  project_id: string;
  customer_id: string;
}

export interface KnownCustomer {
  id: string;
  project_id: string;
  external_id: string;
}

/** Reads only, and only within the connection: a project of another one knows nothing. */
export interface ClaimSource {
  /** Whom an operator has attached an object to: the first of these ids that was attached decides. */
  attachment(ids: readonly string[]): Promise<Attachment | undefined>;
  /** Who has an object that is known. */
  ownersOf(known: KnownObject): Promise<readonly Owner[]>;
  /** The projects that sell any of the prices or products, each once. */
  sellersOf(sold: { priceIds: readonly string[]; productIds: readonly string[] }): Promise<readonly string[]>;
  /** The customers, one a project, that are linked to a Stripe customer. */
  linkedTo(stripeCustomerId: string): Promise<readonly KnownCustomer[]>;
  hasProject(id: string): Promise<boolean>;
  /** By Tollgate's own `cust_…`. */
  customer(id: string): Promise<KnownCustomer | undefined>;
  /** Those of a project's customers that have one of the app's own ids. */
  named(projectId: string, externalIds: readonly string[]): Promise<readonly KnownCustomer[]>;
}

/** Looks everything up in the database when it is asked for. */
export function claimsIn(db: Queryable, connection: Pick<StripeConnection, 'id'>): ClaimSource {
  const customers = () =>
    db
      .selectFrom('tollgate.customers')
      .select(['id', 'project_id', 'external_id'])
      .where('connection_id', '=', connection.id);
  return {
    attachment: async (ids) => await attachmentOf(db, connection, ids),
    ownersOf: async ({ kind, id }) => {
      const objects =
        kind === 'checkout_session'
          ? db
              .selectFrom('tollgate.checkout_sessions as object')
              .where('object.connection_id', '=', connection.id)
              .where('object.id', '=', id)
          : db
              .selectFrom('tollgate.facts as object')
              .where('object.kind', '=', kind)
              .where('object.object_id', '=', id);
      return await objects
        .innerJoin('tollgate.projects as project', 'project.id', 'object.project_id')
        .where('project.connection_id', '=', connection.id)
        .select(['object.project_id', 'object.customer_id'])
        .execute();
    },
    sellersOf: async ({ priceIds, productIds }) => {
      const prices = db
        .selectFrom('tollgate.prices as sold')
        .select('sold.project_id')
        .where('sold.connection_id', '=', connection.id)
        .where('sold.id', 'in', [...priceIds, '']);
      const products = db
        .selectFrom('tollgate.products as sold')
        .select('sold.project_id')
        .where('sold.connection_id', '=', connection.id)
        .where('sold.id', 'in', [...productIds, '']);
      const rows = await db
        .selectFrom(prices.union(products).as('sold'))
        .innerJoin('tollgate.projects as project', 'project.id', 'sold.project_id')
        .where('project.connection_id', '=', connection.id)
        .select('project.id')
        .execute();
      return rows.map((row) => row.id);
    },
    linkedTo: async (stripeCustomerId) =>
      await customers().where('stripe_customer_id', '=', stripeCustomerId).execute(),
    hasProject: async (id) =>
      (await db
        .selectFrom('tollgate.projects')
        .select('id')
        .where('id', '=', id)
        .where('connection_id', '=', connection.id)
        .executeTakeFirst()) !== undefined,
    customer: async (id) => await customers().where('id', '=', id).executeTakeFirst(),
    named: async (projectId, externalIds) => {
      if (externalIds.length === 0) return [];
      return await customers().where('project_id', '=', projectId).where('external_id', 'in', externalIds).execute();
    },
  };
}
