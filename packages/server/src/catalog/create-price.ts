import type { Mapping } from '@tollgate/core';
import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import { notFound } from '../platform/errors.ts';
import { getProject } from '../projects/find-project.ts';
import { askStripe } from '../stripe/refusal.ts';
import { stamps } from '../stripe/stamps.ts';
import type { CatalogDeps, Repeatable } from './deps.ts';
import { getProduct } from './find-product.ts';
import { toStripeLookupKey } from './lookup-key.ts';
import type { MappingInput } from './mapping-inputs.ts';
import { checkedMappings } from './mappings.ts';
import { priceOfStripe, savePrice } from './mirror-product.ts';
import { refetchLater } from './refetch-later.ts';
import { startWithMappings } from './start-with-mappings.ts';
import { askStripeWithLookupKey, holderForStripeToJudge } from './taken-lookup-key.ts';
import type { Interval, PriceRow } from './views.ts';

export interface CreatePriceInput extends Repeatable {
  projectId: string;
  product: string;
  currency: string;
  /** Minor units. */
  unitAmount: number;
  recurring: { interval: Interval; intervalCount: number } | null;
  nickname: string | null;
  lookupKey: string | null;
  features: readonly MappingInput[];
}

/**
 * Creates a price in Stripe, stamped for the project, and keeps it under Stripe's id.
 * @throws TollgateError `invalid_request`, `not_found` (project or product), `lookup_key_taken`, `stripe_unavailable`,
 *   `stripe_refused`
 */
export async function createPrice(
  deps: CatalogDeps,
  input: CreatePriceInput,
  context: AuditContext,
): Promise<{ price: PriceRow; mappings: Mapping[] }> {
  const { projectId, lookupKey } = input;
  const project = await getProject(deps.db, projectId);
  const product = await getProduct(deps.db, projectId, input.product);
  const mappings = await checkedMappings(deps.db, projectId, input.features, {
    recurring: input.recurring !== null,
  });
  const connection = deps.connections.get(project.connectionId);
  const { client, installation } = connection;
  const holder = lookupKey === null ? null : await holderForStripeToJudge(deps.db, connection, projectId, lookupKey);
  const made = await askStripeWithLookupKey(
    lookupKey,
    () =>
      client.prices.create(
        {
          product: product.id,
          currency: input.currency,
          unit_amount: input.unitAmount,
          metadata: stamps({ installation, projectId }),
          ...(input.recurring === null
            ? {}
            : { recurring: { interval: input.recurring.interval, interval_count: input.recurring.intervalCount } }),
          ...(input.nickname ? { nickname: input.nickname } : {}),
          ...(lookupKey === null ? {} : { lookup_key: toStripeLookupKey(projectId, lookupKey) }),
        },
        { idempotencyKey: `tollgate:price:${input.repeatKey}` },
      ),
    holder,
  );
  // Stripe replayed the first try: since then the key may have moved to another price.
  const present = holder === null ? made : await askStripe(() => client.prices.retrieve(made.id));
  const now = deps.clock.now();
  return await deps.db.transaction().execute(async (tx) => {
    const price = await savePrice(tx, { projectId, price: priceOfStripe(present), now });
    if (price === undefined) throw notFound('product');
    await refetchLater(tx, project.connectionId, { type: 'price', id: price.id });
    await startWithMappings(deps, tx, { projectId, owner: { type: 'price', id: price.id }, mappings, now });
    const detail = { price: price.id, product: product.id, features: mappings.map(({ code }) => code) };
    await recordAudit(tx, { ...context, action: 'price.created', projectId, detail }, now);
    return { price, mappings };
  });
}
