import { priceIn, productIn } from '../catalog/find-product.ts';
import { markPriceDeleted, priceOfStripe, type StripePriceLike, savePrice } from '../catalog/mirror-product.ts';
import { wakeParked } from '../catalog/wake-parked.ts';
import type { Tx } from '../platform/database.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import { isMissing } from '../stripe/refusal.ts';
import { NO_DETAIL } from './parked-detail.ts';
import { idOf, parseShape } from './parse-shape.ts';
import { applyInOrder, type Fetch, takeNumber } from './sequence.ts';
import { PriceShape, ProductShape } from './shapes.ts';
import { keepProduct } from './sync-product.ts';
import type { MirrorDeps, SyncRequest, SyncResult } from './types.ts';

/** A price with the product that it belongs to; null for a product that Stripe deleted. */
interface FetchedPrice {
  price: PriceShape;
  product: ProductShape | null;
}

/** A price of a project's product. One of any other product is `not_imported`. */
export async function syncPrice(deps: MirrorDeps, { connectionId, ref, cause }: SyncRequest): Promise<SyncResult> {
  const { db, clock } = deps;
  const connection = deps.connections.get(connectionId);
  const sequence = await takeNumber(db, connection.id, ref.id);
  const fetched = await fetchPrice(connection, ref.id);
  const product_ids = fetched === null ? [] : [idOf(fetched.price.product)];
  const parking = { ref, cause, detail: { ...NO_DETAIL, price_ids: [ref.id], product_ids } };
  const fetch: Fetch = { connectionId, objectId: ref.id, sequence, now: clock.now(), parking };
  return await applyInOrder(db, fetch, async (tx) => {
    if (fetched === null) return await markDeleted(tx, connection, fetch);
    return await keepPrice(tx, connection, fetched, fetch.now);
  });
}

/** @returns null when Stripe has it no more */
async function fetchPrice({ client }: StripeConnection, id: string): Promise<FetchedPrice | null> {
  try {
    const found = await client.prices.retrieve(id, { expand: ['product'] });
    const price = parseShape(PriceShape, found, 'price');
    if (price.deleted === true) return null;
    const { product } = found;
    const gone = typeof product === 'string' || product.deleted === true;
    return { price, product: gone ? null : parseShape(ProductShape, product, 'product') };
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

async function keepPrice(
  tx: Tx,
  connection: StripeConnection,
  { price, product }: FetchedPrice,
  now: number,
): Promise<SyncResult> {
  const projectId = (await productIn(tx, connection.id, idOf(price.product)))?.project_id;
  if (projectId === undefined) {
    // The price was told of before its product was: a stamped product brings both.
    const kept = product === null ? null : await keepProduct(tx, connection, product, now);
    if (kept === null || kept.projectId === null) return kept ?? ignored('not_imported');
  }
  const owner = projectId ?? (await productIn(tx, connection.id, idOf(price.product)))?.project_id;
  if (owner === undefined) return ignored('not_imported');
  const known = await priceIn(tx, connection.id, price.id);
  const saved = await savePrice(tx, { projectId: owner, price: priceOfStripe(price as StripePriceLike), now });
  if (saved === undefined) return ignored('not_imported');
  if (known === undefined) await wakeParked(tx, connection.id, price.id);
  const changed =
    known === undefined ||
    known.deleted ||
    (['nickname', 'lookup_key', 'active', 'unit_amount', 'currency'] as const).some(
      (field) => known[field] !== saved[field],
    );
  return { status: changed ? 'applied' : 'unchanged', reason: null, projectId: owner, customerId: null };
}

async function markDeleted(tx: Tx, connection: StripeConnection, { objectId, now }: Fetch): Promise<SyncResult> {
  const known = await priceIn(tx, connection.id, objectId);
  if (known === undefined) return ignored('missing_in_stripe');
  if (!known.deleted) await markPriceDeleted(tx, known, now);
  return {
    status: known.deleted ? 'unchanged' : 'applied',
    reason: null,
    projectId: known.project_id,
    customerId: null,
  };
}

function ignored(reason: string): SyncResult {
  return { status: 'ignored', reason, projectId: null, customerId: null };
}
