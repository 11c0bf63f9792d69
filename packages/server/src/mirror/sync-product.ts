import { productIn } from '../catalog/find-product.ts';
import { markProductDeleted, productOfStripe, type StripeProductLike, saveProduct } from '../catalog/mirror-product.ts';
import { wakeParked } from '../catalog/wake-parked.ts';
import type { Queryable, Tx } from '../platform/database.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import { isMissing } from '../stripe/refusal.ts';
import { readStamps } from '../stripe/stamps.ts';
import { NO_DETAIL } from './parked-detail.ts';
import { parseShape } from './parse-shape.ts';
import { applyInOrder, type Fetch, takeNumber } from './sequence.ts';
import { ProductShape } from './shapes.ts';
import type { MirrorDeps, SyncRequest, SyncResult } from './types.ts';

/**
 * A product of a project: known already, or stamped for it. Any other is `not_imported`: a Stripe account may sell much
 * that is no project's.
 */
export async function syncProduct(deps: MirrorDeps, { connectionId, ref, cause }: SyncRequest): Promise<SyncResult> {
  const { db, clock } = deps;
  const connection = deps.connections.get(connectionId);
  const sequence = await takeNumber(db, connection.id, ref.id);
  const product = await fetchProduct(connection, ref.id);
  const parking = { ref, cause, detail: { ...NO_DETAIL, product_ids: [ref.id] } };
  const fetch: Fetch = { connectionId, objectId: ref.id, sequence, now: clock.now(), parking };
  return await applyInOrder(db, fetch, async (tx) => {
    if (product === null) return await markDeleted(tx, connection, fetch);
    return await keepProduct(tx, connection, product, fetch.now);
  });
}

/** Keeps a product that is a project's; in the transaction of the object that was fetched. */
export async function keepProduct(
  tx: Tx,
  connection: StripeConnection,
  product: ProductShape,
  now: number,
): Promise<SyncResult> {
  const known = await productIn(tx, connection.id, product.id);
  const owner = await productOwner(tx, connection, product, known?.project_id ?? null);
  if ('refused' in owner) return owner.refused;
  const { projectId } = owner;
  const view = productOfStripe(product as StripeProductLike);
  const same =
    known !== undefined &&
    !known.deleted &&
    known.name === view.name &&
    known.description === view.description &&
    known.active === view.active;
  if (!same) {
    const saved = await saveProduct(tx, { connectionId: connection.id, projectId, product: view, now });
    if (saved === undefined) return refused('parked', 'project_conflict');
    if (known === undefined) await wakeParked(tx, connection.id, product.id);
  }
  return { status: same ? 'unchanged' : 'applied', reason: null, projectId, customerId: null };
}

/** @returns null when Stripe has it no more */
async function fetchProduct({ client }: StripeConnection, id: string): Promise<ProductShape | null> {
  try {
    const product: { deleted?: unknown } = await client.products.retrieve(id);
    return product.deleted === true ? null : parseShape(ProductShape, product, 'product');
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** The project that a product is of, or the result to give when it is none's. */
export async function productOwner(
  db: Queryable,
  connection: StripeConnection,
  product: ProductShape,
  knownProjectId: string | null,
): Promise<{ projectId: string } | { refused: SyncResult }> {
  const stamp = readStamps(product.metadata);
  const own = stamp !== null && (stamp.installation === connection.installation || stamp.installation === '');
  if (knownProjectId !== null) {
    if (stamp !== null && !own) return { refused: refused('parked', 'installation_conflict') };
    if (stamp?.projectId && stamp.projectId !== knownProjectId)
      return { refused: refused('parked', 'project_conflict') };
    return { projectId: knownProjectId };
  }
  if (stamp === null) return { refused: refused('ignored', 'not_imported') };
  if (!own) return { refused: refused('ignored', 'other_installation') };
  const project = await db
    .selectFrom('tollgate.projects')
    .select('id')
    .where('id', '=', stamp.projectId ?? '')
    .where('connection_id', '=', connection.id)
    .executeTakeFirst();
  return project === undefined ? { refused: refused('parked', 'stamped_project_unknown') } : { projectId: project.id };
}

async function markDeleted(tx: Tx, connection: StripeConnection, { objectId, now }: Fetch): Promise<SyncResult> {
  const known = await productIn(tx, connection.id, objectId);
  if (known === undefined) return refused('ignored', 'missing_in_stripe');
  if (!known.deleted) await markProductDeleted(tx, known, now);
  return {
    status: known.deleted ? 'unchanged' : 'applied',
    reason: null,
    projectId: known.project_id,
    customerId: null,
  };
}

function refused(status: 'ignored' | 'parked', reason: string): SyncResult {
  return { status, reason, projectId: null, customerId: null };
}
