import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import { overtakeFetches } from '../facts/overtake-fetches.ts';
import { notFound } from '../platform/errors.ts';
import { getProject } from '../projects/find-project.ts';
import { askStripe } from '../stripe/refusal.ts';
import type { CatalogDeps } from './deps.ts';
import { getProduct } from './find-product.ts';
import { productOfStripe, saveProduct } from './mirror-product.ts';
import { refetchLater } from './refetch-later.ts';
import type { ProductRow } from './views.ts';

export interface ProductPatch {
  name?: string | undefined;
  /** null takes it away. */
  description?: string | null | undefined;
  /** false archives the product: it is no longer sold, and who bought it keeps it. */
  active?: boolean | undefined;
}

/**
 * Changes a product in Stripe, which owns it, and then here.
 * @throws TollgateError `not_found`, `stripe_unavailable`, `stripe_refused`
 */
export async function updateProduct(
  deps: CatalogDeps,
  target: { projectId: string; id: string },
  patch: ProductPatch,
  context: AuditContext,
): Promise<ProductRow> {
  const { projectId, id } = target;
  const project = await getProject(deps.db, projectId);
  const product = await getProduct(deps.db, projectId, id);
  if (Object.values(patch).every((value) => value === undefined)) return product;
  const { connectionId } = project;
  const { client } = deps.connections.get(connectionId);
  const changed = await askStripe(() =>
    client.products.update(id, {
      ...(patch.name === undefined ? {} : { name: patch.name }),
      ...(patch.description === undefined ? {} : { description: patch.description ?? '' }),
      ...(patch.active === undefined ? {} : { active: patch.active }),
    }),
  );
  const now = deps.clock.now();
  return await deps.db.transaction().execute(async (tx) => {
    await overtakeFetches(tx, connectionId, id);
    const saved = await saveProduct(tx, { connectionId, projectId, product: productOfStripe(changed), now });
    if (saved === undefined) throw notFound('product');
    await refetchLater(tx, connectionId, { type: 'product', id });
    const detail = { product: id, changes: patch };
    await recordAudit(tx, { ...context, action: 'product.updated', projectId, detail }, now);
    return saved;
  });
}
