import type { StripeConnection } from '../stripe/connections.ts';
import type { Stripe } from '../stripe/types.ts';

/**
 * A page of everything by which money went back, or may: all refunds of the account, and after the last of them all
 * disputes. They are few, however many payments there are.
 * @param startingAfter - the last one of the page before
 * @param withCharge - whether each brings its charge, which says whose payment it was
 */
export async function listMoneyBack(
  { client }: StripeConnection,
  page: { limit: number; startingAfter: string | undefined; withCharge?: boolean },
): Promise<{ data: readonly (Stripe.Refund | Stripe.Dispute)[]; has_more: boolean }> {
  const { limit, startingAfter, withCharge = false } = page;
  const first = { limit, ...(withCharge ? { expand: ['data.charge'] } : {}) };
  const next = { ...first, ...(startingAfter === undefined ? {} : { starting_after: startingAfter }) };
  if (startingAfter !== undefined && isDispute(startingAfter)) return await client.disputes.list(next);
  const refunds = await client.refunds.list(next);
  if (refunds.data.length > 0) return { data: refunds.data, has_more: true };
  return await client.disputes.list(first);
}

function isDispute(id: string): boolean {
  return /^(dp|du)_/.test(id);
}
