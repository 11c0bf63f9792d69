import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import { overtakeFetches } from '../facts/overtake-fetches.ts';
import type { Queryable } from '../platform/database.ts';
import { notFound } from '../platform/errors.ts';
import { getProject } from '../projects/find-project.ts';
import type { CatalogDeps } from './deps.ts';
import { getPrice } from './find-product.ts';
import { toStripeLookupKey } from './lookup-key.ts';
import { priceOfStripe, savePrice } from './mirror-product.ts';
import { refetchLater } from './refetch-later.ts';
import { askStripeWithLookupKey, refuseTakenLookupKey } from './taken-lookup-key.ts';
import type { PriceRow } from './views.ts';

export interface PricePatch {
  /** false archives the price: it is no longer sold, and who bought it keeps it. */
  active?: boolean | undefined;
  nickname?: string | null | undefined;
  lookupKey?: string | null | undefined;
}

/**
 * Changes a price in Stripe, which owns it, and then here. A lookup key that an archived price of the project holds
 * moves over: so a new price takes the place of an old one.
 * @throws TollgateError `not_found`, `lookup_key_taken`, `stripe_unavailable`, `stripe_refused`
 */
export async function updatePrice(
  deps: CatalogDeps,
  target: { projectId: string; id: string },
  patch: PricePatch,
  context: AuditContext,
): Promise<PriceRow> {
  const { projectId, id } = target;
  const project = await getProject(deps.db, projectId);
  const price = await getPrice(deps.db, projectId, id);
  if (Object.values(patch).every((value) => value === undefined)) return price;
  const transfer = patch.lookupKey ? await transferable(deps.db, projectId, patch.lookupKey, id) : false;
  const { client } = deps.connections.get(project.connectionId);
  const changed = await askStripeWithLookupKey(patch.lookupKey ?? null, () =>
    client.prices.update(id, {
      ...(patch.active === undefined ? {} : { active: patch.active }),
      ...(patch.nickname === undefined ? {} : { nickname: patch.nickname ?? '' }),
      ...(patch.lookupKey === undefined
        ? {}
        : { lookup_key: patch.lookupKey === null ? '' : toStripeLookupKey(projectId, patch.lookupKey) }),
      ...(transfer ? { transfer_lookup_key: true } : {}),
    }),
  );
  const now = deps.clock.now();
  return await deps.db.transaction().execute(async (tx) => {
    await overtakeFetches(tx, project.connectionId, id);
    const saved = await savePrice(tx, { projectId, price: priceOfStripe(changed), now });
    if (saved === undefined) throw notFound('price');
    await refetchLater(tx, project.connectionId, { type: 'price', id });
    const { active, nickname, lookupKey } = patch;
    const detail = { price: id, changes: { active, nickname, lookup_key: lookupKey } };
    await recordAudit(tx, { ...context, action: 'price.updated', projectId, detail }, now);
    return saved;
  });
}

/**
 * Whether the key has to be moved from an archived price.
 * @throws TollgateError `lookup_key_taken` when the price that has it is sold
 */
async function transferable(db: Queryable, projectId: string, lookupKey: string, id: string): Promise<boolean> {
  const archived = await db
    .selectFrom('tollgate.prices')
    .select('id')
    .where('project_id', '=', projectId)
    .where('lookup_key', '=', lookupKey)
    .where('active', '=', false)
    .where('deleted', '=', false)
    .where('id', '<>', id)
    .executeTakeFirst();
  if (archived !== undefined) return true;
  await refuseTakenLookupKey(db, projectId, lookupKey, id);
  return false;
}
