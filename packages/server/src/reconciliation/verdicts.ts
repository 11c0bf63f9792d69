import type { Attribution } from '../mirror/attribute.ts';
import type { Scope } from './scope.ts';

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
