/**
 * Copies of Stripe's products and prices. Names, amounts and `active` are Stripe's; mappings are Tollgate's alone and
 * are never touched here, so that archiving or deleting in Stripe takes nothing from a buyer.
 */
import type { Tx } from '../platform/database.ts';
import { fromStripeLookupKey, isPrefixed } from './lookup-key.ts';
import type { PriceRow, ProductRow } from './views.ts';

/** What is kept of Stripe's product. */
export interface StripeProductView {
  id: string;
  name: string;
  description: string | null;
  active: boolean;
  /** Epoch milliseconds. */
  createdAt: number;
}

/** What is kept of Stripe's price. */
export interface StripePriceView {
  id: string;
  productId: string;
  currency: string;
  /** Minor units; null for tiers and for fractions of a unit. */
  unitAmount: number | null;
  recurring: { interval: string; intervalCount: number; usageType: string } | null;
  nickname: string | null;
  /** As Stripe has it. */
  lookupKey: string | null;
  active: boolean;
  /** Epoch milliseconds. */
  createdAt: number;
}

/** The members of Stripe's product that are read; a `Stripe.Product` has them. */
export interface StripeProductLike {
  id: string;
  name: string;
  description?: string | null;
  active: boolean;
  created: number;
}

/** The members of Stripe's price that are read; a `Stripe.Price` has them. */
export interface StripePriceLike {
  id: string;
  product: string | { id: string };
  currency: string;
  unit_amount: number | null;
  recurring: { interval: string; interval_count: number; usage_type: string } | null;
  nickname: string | null;
  lookup_key: string | null;
  active: boolean;
  created: number;
}

export function productOfStripe(product: StripeProductLike): StripeProductView {
  return {
    id: product.id,
    name: product.name,
    description: product.description ?? null,
    active: product.active,
    createdAt: product.created * 1000,
  };
}

export function priceOfStripe(price: StripePriceLike): StripePriceView {
  return {
    id: price.id,
    productId: typeof price.product === 'string' ? price.product : price.product.id,
    currency: price.currency,
    unitAmount: price.unit_amount,
    recurring:
      price.recurring === null
        ? null
        : {
            interval: price.recurring.interval,
            intervalCount: price.recurring.interval_count,
            usageType: price.recurring.usage_type,
          },
    nickname: price.nickname,
    lookupKey: price.lookup_key,
    active: price.active,
    createdAt: price.created * 1000,
  };
}

/**
 * Keeps a product as Stripe has it. Whether it is this project's (known, or stamped for it) is for the caller to know.
 * @param input.connectionId - where it was fetched
 * @param input.now - epoch milliseconds
 * @returns undefined, and changes nothing, when the product is another project's, or the project sells elsewhere by now
 */
export async function saveProduct(
  tx: Tx,
  input: { connectionId: string; projectId: string; product: StripeProductView; now: number },
): Promise<ProductRow | undefined> {
  const { connectionId, projectId, product, now } = input;
  // A project that changes its connection meanwhile is waited for.
  const seller = await tx
    .selectFrom('tollgate.projects')
    .select('id')
    .where('id', '=', projectId)
    .where('connection_id', '=', connectionId)
    .forKeyShare()
    .executeTakeFirst();
  if (seller === undefined) return undefined;
  const at = new Date(now);
  // What Stripe shows is not deleted, though it may have been thought so.
  const shown = { name: product.name, description: product.description, active: product.active };
  const state = { ...shown, deleted: false, updated_at: at };
  return await tx
    .insertInto('tollgate.products')
    .values({
      connection_id: connectionId,
      id: product.id,
      project_id: projectId,
      ...state,
      created_at: new Date(product.createdAt),
    })
    .onConflict((conflict) =>
      conflict
        .columns(['connection_id', 'id'])
        .doUpdateSet(state)
        .where('tollgate.products.project_id', '=', projectId),
    )
    .returningAll()
    .executeTakeFirst();
}

/**
 * Keeps a price as Stripe has it.
 * @param input.now - epoch milliseconds
 * @returns undefined, and changes nothing, when its product is not this project's
 */
export async function savePrice(
  tx: Tx,
  input: { projectId: string; price: StripePriceView; now: number },
): Promise<PriceRow | undefined> {
  const { projectId, price, now } = input;
  const product = await tx
    .selectFrom('tollgate.products')
    .select('connection_id')
    .where('id', '=', price.productId)
    .where('project_id', '=', projectId)
    .executeTakeFirst();
  if (product === undefined) return undefined;
  const at = new Date(now);
  const state = {
    currency: price.currency,
    unit_amount: price.unitAmount,
    recurring_interval: price.recurring?.interval ?? null,
    recurring_interval_count: price.recurring?.intervalCount ?? null,
    usage_type: price.recurring?.usageType ?? null,
    nickname: price.nickname,
    lookup_key: await freedLookupKey(tx, projectId, price),
    active: price.active,
    deleted: false,
    updated_at: at,
  };
  return await tx
    .insertInto('tollgate.prices')
    .values({
      connection_id: product.connection_id,
      id: price.id,
      project_id: projectId,
      product_id: price.productId,
      ...state,
      created_at: new Date(price.createdAt),
    })
    .onConflict((conflict) =>
      conflict.columns(['connection_id', 'id']).doUpdateSet(state).where('tollgate.prices.project_id', '=', projectId),
    )
    .returningAll()
    .executeTakeFirst();
}

/**
 * The price's lookup key, taken from the price that had it: Stripe can transfer a key, and tells of the two prices in
 * any order. A key that Stripe holds without our prefix yields to one that the project gave.
 */
async function freedLookupKey(tx: Tx, projectId: string, price: StripePriceView): Promise<string | null> {
  const lookupKey = fromStripeLookupKey(projectId, price.lookupKey);
  if (lookupKey === null || price.lookupKey === null) return null;
  const holders = tx
    .selectFrom('tollgate.prices')
    .select('id')
    .where('project_id', '=', projectId)
    .where('lookup_key', '=', lookupKey)
    .where('deleted', '=', false)
    .where('id', '<>', price.id);
  if (!isPrefixed(projectId, price.lookupKey)) {
    return (await holders.executeTakeFirst()) === undefined ? lookupKey : null;
  }
  await tx
    .updateTable('tollgate.prices')
    .set({ lookup_key: null })
    .where('project_id', '=', projectId)
    .where('id', 'in', holders)
    .execute();
  return lookupKey;
}

/** Another account may have an object of the same id. */
type InConnection = Pick<ProductRow, 'connection_id' | 'id'>;

/** Marks a product that Stripe deleted. It is no longer offered or shown; who bought it keeps it. */
export async function markProductDeleted(tx: Tx, product: InConnection, now: number): Promise<void> {
  await tx
    .updateTable('tollgate.products')
    .set({ deleted: true, active: false, updated_at: new Date(now) })
    .where('connection_id', '=', product.connection_id)
    .where('id', '=', product.id)
    .execute();
}

/** Marks a price that Stripe deleted. It is no longer offered or shown; who bought it keeps it. */
export async function markPriceDeleted(tx: Tx, price: InConnection, now: number): Promise<void> {
  await tx
    .updateTable('tollgate.prices')
    .set({ deleted: true, active: false, updated_at: new Date(now) })
    .where('connection_id', '=', price.connection_id)
    .where('id', '=', price.id)
    .execute();
}
