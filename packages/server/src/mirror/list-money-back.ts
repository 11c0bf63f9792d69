import type { StripeConnection } from '../stripe/connections.ts';
import type { Stripe } from '../stripe/types.ts';

/**
 * A page of everything by which money went back, or may: all refunds of the account, and after the last of them all
 * disputes. They are few, however many payments there are.
 * @param startingAfter - the last one of the page before
 */
export async function listMoneyBack(
  { client }: StripeConnection,
  { limit, startingAfter }: { limit: number; startingAfter: string | undefined },
): Promise<{ data: readonly (Stripe.Refund | Stripe.Dispute)[]; has_more: boolean }> {
  const after = startingAfter === undefined ? {} : { starting_after: startingAfter };
  if (startingAfter !== undefined && isDispute(startingAfter)) return await client.disputes.list({ limit, ...after });
  const refunds = await client.refunds.list({ limit, ...after });
  if (refunds.data.length > 0) return { data: refunds.data, has_more: true };
  return await client.disputes.list({ limit });
}

function isDispute(id: string): boolean {
  return /^(dp|du)_/.test(id);
}
