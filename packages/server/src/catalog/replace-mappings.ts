import type { Mapping } from '@tollgate/core';
import type { AuditContext } from '../audit/context.ts';
import { recordAudit } from '../audit/record.ts';
import { canonicalJson } from '../platform/canonical-json.ts';
import { catalogChanged } from './catalog-changed.ts';
import type { CatalogDeps } from './deps.ts';
import type { MappingInput } from './mapping-inputs.ts';
import { isRecurring, lockOwner } from './mapping-owner.ts';
import { checkedMappings, type MappingOwner, mappingsOfOwner, saveMappings } from './mappings.ts';

export interface ReplaceMappingsInput {
  projectId: string;
  owner: MappingOwner;
  features: readonly MappingInput[];
}

export interface ReplacedMappings {
  mappings: Mapping[];
  /** The `rec_…` of the recomputation that follows; null when the set was the same. */
  recomputationId: string | null;
}

/**
 * Puts another set of mappings on a product or price, and has every customer recomputed in the background.
 * @throws TollgateError `not_found`, `invalid_request`
 */
export async function replaceMappings(
  deps: Pick<CatalogDeps, 'db' | 'clock' | 'requestRecomputation'>,
  { projectId, owner, features }: ReplaceMappingsInput,
  context: AuditContext,
): Promise<ReplacedMappings> {
  return await deps.db.transaction().execute(async (tx) => {
    await lockOwner(tx, projectId, owner);
    const recurring = await isRecurring(tx, projectId, owner);
    const mappings = await checkedMappings(tx, projectId, features, { recurring });
    const before = await mappingsOfOwner(tx, projectId, owner);
    if (canonicalJson(before) === canonicalJson(mappings)) return { mappings, recomputationId: null };
    const now = deps.clock.now();
    await saveMappings(tx, projectId, owner, mappings);
    await catalogChanged(tx, projectId, now);
    const detail = { [owner.type]: owner.id, before, after: mappings };
    const auditId = await recordAudit(tx, { ...context, action: 'mappings.replaced', projectId, detail }, now);
    const cause = { type: 'catalog', id: auditId } as const;
    return { mappings, recomputationId: await deps.requestRecomputation(tx, { projectId, cause }) };
  });
}
