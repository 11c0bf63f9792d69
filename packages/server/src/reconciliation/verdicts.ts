import type { Fact } from '@tollgate/core';
import type { Attribution } from '../mirror/attribute.ts';
import { fieldChanges } from './field-changes.ts';
import type { Drift, StoredFact, Verdict } from './kind.ts';
import type { Scope } from './scope.ts';
import { sameFact } from './stored-facts.ts';

interface Owner {
  projectId: string;
  /** Tollgate's own `cust_…`; null for a customer that has not been seen yet. */
  customerId: string | null;
}

export function ownerOf(found: Extract<Attribution, { projectId: string }>): Owner {
  return { projectId: found.projectId, customerId: found.status === 'ours' ? found.customerId : null };
}

/** Whether an object of this owner is none of what the run looks at. */
export function outOfScope(scope: Scope, owner: Owner): boolean {
  if (scope.projectId !== null && scope.projectId !== owner.projectId) return true;
  return scope.customerId !== null && scope.customerId !== owner.customerId;
}

/**
 * What comes of comparing a stored fact with the one that the mirror would make now.
 * @param missing - where nothing is stored: whose it would be, and when it came about, as far as it tells
 */
export function compareFact(
  stored: StoredFact<Fact> | undefined,
  fact: Fact,
  missing: Owner & Pick<Drift, 'changedAt'>,
): Verdict {
  if (stored === undefined) {
    const drift = { kind: 'missing_locally', ...missing, fields: fieldChanges(null, fact), since: null } as const;
    return { status: 'drift', drift };
  }
  if (sameFact(stored.fact, fact)) return { status: 'in_sync' };
  const { projectId, customerId, recordedAt: since } = stored;
  const fields = fieldChanges(stored.fact, fact);
  return { status: 'drift', drift: { kind: 'different', projectId, customerId, fields, since } };
}
