/** What refunds and disputes say about one payment. Pure. */
import type { Dispute, Instant } from '@tollgate/core';
import type { DisputeShape, RefundShape } from './shapes.ts';

/**
 * The refunds that took or will take money back: one that fails later gives it back to the seller, and the buyer's
 * access with it.
 * @returns `refundedAt`: when the whole amount had been refunded, or else when the first part was
 */
export function refunded(
  refunds: readonly RefundShape[],
  amountMinor: number,
): { refundedMinor: number; refundedAt: Instant | null } {
  const counted = refunds
    .filter((refund) => refund.status !== 'failed' && refund.status !== 'canceled')
    .sort((a, b) => a.created - b.created || (a.id < b.id ? -1 : 1));
  let refundedMinor = 0;
  let completedAt: number | null = null;
  for (const refund of counted) {
    refundedMinor += refund.amount;
    if (completedAt === null && refundedMinor >= amountMinor) completedAt = refund.created;
  }
  const at = completedAt ?? counted[0]?.created ?? null;
  return { refundedMinor, refundedAt: at === null ? null : at * 1000 };
}

const WON = new Set(['won', 'prevented']);

/** Of several disputes about one payment, the one that weighs most; of those, the earliest. */
export function disputeOf(disputes: readonly DisputeShape[]): Dispute | null {
  const [worst] = [...disputes].sort((a, b) => weight(b.status) - weight(a.status) || a.created - b.created);
  if (worst === undefined) return null;
  return { status: worst.status, openedAt: worst.created * 1000, closedAt: closedAt(worst) };
}

/** Lost, open, warned, over. */
function weight(status: string): number {
  if (status === 'lost') return 3;
  if (WON.has(status) || status === 'warning_closed') return 0;
  return status.startsWith('warning_') ? 1 : 2;
}

/** Stripe does not say when a dispute was closed; a won one shows when the money came back. */
function closedAt({ status, balance_transactions: moved }: DisputeShape): Instant | null {
  if (!WON.has(status) || moved.length < 2) return null;
  return Math.max(...moved.map((transaction) => transaction.created)) * 1000;
}
