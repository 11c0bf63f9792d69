import type { SubscriptionFact } from '@tollgate/core';

/** Statuses that a subscription never leaves. */
const FINAL: ReadonlySet<string> = new Set(['canceled', 'incomplete_expired']);

/** Whether a subscription is over for good, so that another one may be bought in its place. */
export function hasEnded({ status, endedAt }: SubscriptionFact): boolean {
  return endedAt !== null || FINAL.has(status);
}
