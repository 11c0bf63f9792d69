import type { Mapping } from '@tollgate/core';
import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import { notFound, TollgateError } from '../platform/errors.ts';
import { getProject } from '../projects/find-project.ts';
import type { StripeConnection } from '../stripe/connections.ts';
import { askStripe, isMissing } from '../stripe/refusal.ts';
import { readStamps, stamps } from '../stripe/stamps.ts';
import type { CatalogDeps } from './deps.ts';
import { mappingsOfOwner } from './mappings.ts';
import { priceOfStripe, productOfStripe, savePrice, saveProduct } from './mirror-product.ts';
import type { ProductRow } from './views.ts';
import { wakeParked } from './wake-parked.ts';

/**
 * Adopts a product that exists in Stripe, with every price that it has, archived ones too: who bought one of those may
 * still have it. Doing so again brings the copy up to date.
 * @throws TollgateError `not_found` (also for another project's), `conflict` (another installation's),
 *   `stripe_unavailable`
 */
export async function importProduct(
  deps: CatalogDeps,
  input: { projectId: string; stripeProductId: string },
  context: AuditContext,
): Promise<{ product: ProductRow; mappings: Mapping[] }> {
  const { projectId, stripeProductId } = input;
  const project = await getProject(deps.db, projectId);
  const connection = deps.connections.get(project.connectionId);
  const found = await retrieve(connection, stripeProductId);
  refuseOwned(connection, projectId, found);
  const prices = await askStripe(() => pricesOf(connection, found.id));

  const now = deps.clock.now();
  const product = await deps.db.transaction().execute(async (tx) => {
    // Of two projects that import the same product, the first to commit has it.
    const saved = await saveProduct(tx, {
      connectionId: connection.id,
      projectId,
      product: productOfStripe(found),
      now,
    });
    if (saved === undefined) throw notFound('product in Stripe');
    for (const price of prices) await savePrice(tx, { projectId, price: priceOfStripe(price), now });
    for (const { id } of [found, ...prices]) await wakeParked(tx, connection.id, id);
    const detail = { product: found.id, prices: prices.map(({ id }) => id) };
    await recordAudit(tx, { ...context, action: 'product.imported', projectId, detail }, now);
    return saved;
  });
  // Last, so that a product never carries the stamp of a project that does not have it. A repeat stamps again.
  const metadata = stamps({ installation: connection.installation, projectId });
  await askStripe(() => connection.client.products.update(found.id, { metadata }));
  const mappings = await mappingsOfOwner(deps.db, projectId, { type: 'product', id: product.id });
  return { product, mappings };
}

async function retrieve({ client }: StripeConnection, id: string) {
  try {
    return await client.products.retrieve(id);
  } catch (error) {
    if (isMissing(error)) throw notFound('product in Stripe');
    return await askStripe(() => Promise.reject(error));
  }
}

function refuseOwned(
  connection: StripeConnection,
  projectId: string,
  product: { metadata: Record<string, string>; deleted?: unknown },
): void {
  if (product.deleted === true) throw notFound('product in Stripe');
  const stamp = readStamps(product.metadata);
  if (stamp === null) return;
  // One that was marked by hand may name no installation.
  if (stamp.installation !== '' && stamp.installation !== connection.installation) {
    throw new TollgateError(
      'conflict',
      'The product belongs to another Tollgate installation. Take tollgate_installation and tollgate_project out of its metadata in Stripe, if that installation no longer needs it.',
    );
  }
  if (stamp.projectId !== null && stamp.projectId !== projectId) throw notFound('product in Stripe');
}

async function pricesOf({ client }: StripeConnection, product: string) {
  const prices = [];
  for await (const price of client.prices.list({ product, limit: 100 })) prices.push(price);
  return prices;
}
