import { KIND_NAMES, type KindName } from './kind.ts';
import type { Scope } from './scope.ts';

/**
 * A part of a run: Stripe's list of one kind, or what is stored of that kind and was in no list; or what is stored,
 * compared with itself.
 */
export type Step = { connectionId: string } & (
  | { what: 'listed' | 'unmet'; kind: KindName }
  | { what: 'proven'; kind: 'fact' | 'snapshot' }
);

/** What one customer has. */
const OF_CUSTOMER = new Set<KindName>(['customer', 'invoice', 'subscription', 'purchase', 'invoice_payment']);

/** Everything that a run does, in order; what was in no list last. The same scope and connections give the same steps. */
export function stepsOf(scope: Scope, connectionIds: readonly string[]): Step[] {
  const kinds = KIND_NAMES.filter((kind) => scope.customerId === null || OF_CUSTOMER.has(kind));
  return [...connectionIds].sort().flatMap((connectionId): Step[] => [
    ...(['listed', 'unmet'] as const).flatMap((what) => kinds.map((kind) => ({ connectionId, what, kind }))),
    // Last, since what is repaired before is put right with it.
    ...(['fact', 'snapshot'] as const).map((kind) => ({ connectionId, what: 'proven' as const, kind })),
  ]);
}

/** How a step is called, in the run's progress and as the place where it goes on: `default/listed/subscription`. */
export function stepName({ connectionId, what, kind }: Step): string {
  return `${connectionId}/${what}/${kind}`;
}
