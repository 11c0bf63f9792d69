import type { Mapping } from '@tollgate/core';
import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import { notFound } from '../platform/errors.ts';
import { getProject } from '../projects/find-project.ts';
import { askStripe } from '../stripe/refusal.ts';
import { stamps } from '../stripe/stamps.ts';
import type { CatalogDeps, Repeatable } from './deps.ts';
import type { MappingInput } from './mapping-inputs.ts';
import { checkedMappings } from './mappings.ts';
import { productOfStripe, saveProduct } from './mirror-product.ts';
import { refetchLater } from './refetch-later.ts';
import { startWithMappings } from './start-with-mappings.ts';
import type { ProductRow } from './views.ts';

export interface CreateProductInput extends Repeatable {
  projectId: string;
  name: string;
  description: string | null;
  features: readonly MappingInput[];
}

/**
 * Creates a product in Stripe, stamped for the project, and keeps it under Stripe's id.
 * @throws TollgateError `invalid_request`, `not_found` (project), `stripe_unavailable`, `stripe_refused`
 */
export async function createProduct(
  deps: CatalogDeps,
  input: CreateProductInput,
  context: AuditContext,
): Promise<{ product: ProductRow; mappings: Mapping[] }> {
  const { projectId, name, description } = input;
  const project = await getProject(deps.db, projectId);
  const mappings = await checkedMappings(deps.db, projectId, input.features);
  const { connectionId } = project;
  const { client, installation } = deps.connections.get(connectionId);
  const made = await askStripe(() =>
    client.products.create(
      { name, ...(description ? { description } : {}), metadata: stamps({ installation, projectId }) },
      { idempotencyKey: `tollgate:product:${input.repeatKey}` },
    ),
  );
  const now = deps.clock.now();
  return await deps.db.transaction().execute(async (tx) => {
    // Its webhook may have come first.
    const product = await saveProduct(tx, { connectionId, projectId, product: productOfStripe(made), now });
    if (product === undefined) throw notFound('product');
    await refetchLater(tx, connectionId, { type: 'product', id: product.id });
    await startWithMappings(deps, tx, { projectId, owner: { type: 'product', id: product.id }, mappings, now });
    const detail = { product: product.id, features: mappings.map(({ code }) => code) };
    await recordAudit(tx, { ...context, action: 'product.created', projectId, detail }, now);
    return { product, mappings };
  });
}
