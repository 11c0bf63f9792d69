import { type Catalog, diffSnapshots, type FeatureChange, type Mapping, resolve } from '@tollgate/core';
import { loadFactsOf } from '../facts/load-facts.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database.ts';
import { getProject } from '../projects/find-project.ts';
import { holdersOf } from './holders.ts';
import { loadCatalog } from './load-catalog.ts';
import { isRecurring } from './mapping-owner.ts';
import { checkedMappings, type MappingOwner } from './mappings.ts';
import type { ReplaceMappingsInput } from './replace-mappings.ts';

/** How many customers are named one by one; the totals count all. */
const MAX_LISTED = 100;
const BATCH = 500;

export interface FeatureTotals {
  feature: string;
  gained: number;
  lost: number;
  changed: number;
}

export interface MappingsPreview {
  mappings: Mapping[];
  /** Customers who have bought the product or price, and so were looked at. */
  considered: number;
  /** Those for whom anything would change now. */
  affected: number;
  /** In order of the features' codes; a feature that changes for nobody is missing. */
  totals: FeatureTotals[];
  /** The first of the affected customers, by the app's own ids. */
  customers: { customerId: string; changes: FeatureChange[] }[];
  truncated: boolean;
}

/**
 * What another set of mappings would change for whom, at this moment. Reads one state of the database from beginning to
 * end, in batches, and writes nothing.
 * @throws TollgateError `not_found`, `invalid_request`
 */
export async function previewMappings(
  deps: { db: Database; clock: Clock },
  { projectId, owner, features }: ReplaceMappingsInput,
): Promise<MappingsPreview> {
  const now = deps.clock.now();
  const transaction = deps.db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only');
  return await transaction.execute(async (tx) => {
    const recurring = await isRecurring(tx, projectId, owner);
    const mappings = await checkedMappings(tx, projectId, features, { recurring });
    const { accessPolicy } = await getProject(tx, projectId);
    const before = await loadCatalog(tx, projectId);
    const after = withMappings(before, owner, mappings);

    const totals = new Map<string, FeatureTotals>();
    const preview: MappingsPreview = {
      mappings,
      considered: 0,
      affected: 0,
      totals: [],
      customers: [],
      truncated: false,
    };
    for (let cursor = ''; ; ) {
      const holders = await holdersOf(tx, projectId, owner, { after: cursor, limit: BATCH });
      const last = holders.at(-1);
      if (last === undefined) break;
      cursor = last.id;
      preview.considered += holders.length;
      const facts = await loadFactsOf(
        tx,
        holders.map(({ id }) => id),
      );
      for (const { id, externalId } of holders) {
        const known = facts.get(id) ?? [];
        const [is, would] = [resolve(known, before, accessPolicy), resolve(known, after, accessPolicy)];
        const changes = diffSnapshots(is, would, now).filter(isFelt);
        if (changes.length === 0) continue;
        preview.affected += 1;
        count(totals, changes);
        if (preview.customers.length < MAX_LISTED) preview.customers.push({ customerId: externalId, changes });
        else preview.truncated = true;
      }
    }
    preview.totals = [...totals.values()].sort((a, b) => (a.feature < b.feature ? -1 : 1));
    return preview;
  });
}

/** Why somebody is not entitled is no loss, nor is through what: the amount and the end are. */
function isFelt({ change, before, after }: FeatureChange): boolean {
  if (change !== 'changed') return true;
  if (!after.entitled) return false;
  return before.value !== after.value || before.unlimited !== after.unlimited || before.validTo !== after.validTo;
}

function withMappings(catalog: Catalog, owner: MappingOwner, mappings: readonly Mapping[]): Catalog {
  switch (owner.type) {
    case 'product':
      return { ...catalog, products: { ...catalog.products, [owner.id]: mappings } };
    case 'price':
      return { ...catalog, prices: { ...catalog.prices, [owner.id]: mappings } };
    default:
      return owner.type satisfies never;
  }
}

function count(totals: Map<string, FeatureTotals>, changes: readonly FeatureChange[]): void {
  for (const { feature, change } of changes) {
    const total = totals.get(feature) ?? { feature, gained: 0, lost: 0, changed: 0 };
    total[change] += 1;
    totals.set(feature, total);
  }
}
