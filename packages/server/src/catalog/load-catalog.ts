import type { Catalog, Feature, Mapping } from '@tollgate/core';
import type { Selectable } from 'kysely';
import type { Queryable } from '../platform/database.ts';
import type { Schema } from '../schema.ts';

/** What a project sells and what it unlocks, as the resolver wants it. */
export async function loadCatalog(db: Queryable, projectId: string): Promise<Catalog> {
  const features = await db
    .selectFrom('tollgate.features')
    .select(['code', 'type', 'aggregation'])
    .where('project_id', '=', projectId)
    .execute();
  const mappings = await db
    .selectFrom('tollgate.mappings')
    .selectAll()
    .where('project_id', '=', projectId)
    .orderBy('code')
    .execute();
  // Without a prototype, since a feature may be called `constructor`.
  const byCode: Record<string, Feature> = Object.create(null);
  for (const feature of features) byCode[feature.code] = feature;
  const owners: { product: Record<string, Mapping[]>; price: Record<string, Mapping[]> } = { product: {}, price: {} };
  for (const row of mappings) {
    const ofType = owners[row.owner_type];
    const list = ofType[row.owner_id] ?? [];
    list.push(mappingOfRow(row));
    ofType[row.owner_id] = list;
  }
  return { features: byCode, products: owners.product, prices: owners.price };
}

export function mappingOfRow(row: Selectable<Schema['tollgate.mappings']>): Mapping {
  return {
    code: row.code,
    value: row.value,
    unlimited: row.unlimited,
    perUnit: row.per_unit,
    accessDays: row.access_days,
  };
}
