import type { Mapping } from '@tollgate/core';
import type { Tx } from '../platform/database.ts';
import { catalogChanged } from './catalog-changed.ts';
import type { CatalogDeps } from './deps.ts';
import { holdersOf } from './holders.ts';
import { type MappingOwner, saveMappings } from './mappings.ts';

/**
 * Gives a product or price the mappings that it was created with. Normally nobody can have bought it yet; but when only
 * a repeat gets this far, its webhook may have made it known, and someone may have.
 * @param input.now - epoch milliseconds
 */
export async function startWithMappings(
  deps: Pick<CatalogDeps, 'requestRecomputation'>,
  tx: Tx,
  input: { projectId: string; owner: MappingOwner; mappings: readonly Mapping[]; now: number },
): Promise<void> {
  const { projectId, owner, mappings, now } = input;
  if (mappings.length === 0) return;
  await saveMappings(tx, projectId, owner, mappings);
  await catalogChanged(tx, projectId, now);
  const [holder] = await holdersOf(tx, projectId, owner, { after: '', limit: 1 });
  if (holder !== undefined) {
    await deps.requestRecomputation(tx, { projectId, cause: { type: 'catalog', id: owner.id } });
  }
}
