import type { Mapping } from '@tollgate/core';
import type { Queryable, Tx } from '../platform/database.ts';
import { mappingOfRow } from './load-catalog.ts';
import { byCode, type MappingInput, mappingsIn } from './mapping-inputs.ts';

export type MappingOwner = { type: 'product' | 'price'; id: string };

/**
 * The mappings of a request, checked against the project's features.
 * @param options.recurring - whether they are for a recurring price, whose access lasts as long as it is paid for
 * @throws TollgateError `invalid_request` with a path for each mistake
 */
export async function checkedMappings(
  db: Queryable,
  projectId: string,
  inputs: readonly MappingInput[],
  options: { recurring?: boolean } = {},
): Promise<Mapping[]> {
  if (inputs.length === 0) return [];
  const rows = await db
    .selectFrom('tollgate.features')
    .select(['code', 'type', 'aggregation'])
    .where('project_id', '=', projectId)
    .where(
      'code',
      'in',
      inputs.map(({ code }) => code),
    )
    .execute();
  return mappingsIn(inputs, rows, options);
}

/** The mappings of several products or prices, each list in order of codes; an owner without any has no entry. */
export async function mappingsByOwner(
  db: Queryable,
  projectId: string,
  type: MappingOwner['type'],
  ids: readonly string[],
): Promise<Map<string, Mapping[]>> {
  const byOwner = new Map<string, Mapping[]>();
  if (ids.length === 0) return byOwner;
  const rows = await db
    .selectFrom('tollgate.mappings')
    .selectAll()
    .where('project_id', '=', projectId)
    .where('owner_type', '=', type)
    .where('owner_id', 'in', ids)
    .execute();
  for (const row of rows) {
    const list = byOwner.get(row.owner_id) ?? [];
    list.push(mappingOfRow(row));
    byOwner.set(row.owner_id, list);
  }
  for (const list of byOwner.values()) list.sort(byCode);
  return byOwner;
}

export async function mappingsOfOwner(db: Queryable, projectId: string, owner: MappingOwner): Promise<Mapping[]> {
  return (await mappingsByOwner(db, projectId, owner.type, [owner.id])).get(owner.id) ?? [];
}

/** Puts a set of mappings in the place of the one that the product or price has. */
export async function saveMappings(
  tx: Tx,
  projectId: string,
  owner: MappingOwner,
  mappings: readonly Mapping[],
): Promise<void> {
  await tx
    .deleteFrom('tollgate.mappings')
    .where('project_id', '=', projectId)
    .where('owner_type', '=', owner.type)
    .where('owner_id', '=', owner.id)
    .execute();
  if (mappings.length === 0) return;
  await tx
    .insertInto('tollgate.mappings')
    .values(
      mappings.map((mapping) => ({
        project_id: projectId,
        owner_type: owner.type,
        owner_id: owner.id,
        code: mapping.code,
        value: mapping.value,
        unlimited: mapping.unlimited,
        per_unit: mapping.perUnit,
        access_days: mapping.accessDays,
      })),
    )
    .execute();
}
