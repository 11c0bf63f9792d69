/**
 * What it means that money for something bought goes back: a purchase gives nothing any more, and of a subscription the
 * items are barred that the payment was for, in the periods that it was for.
 */
import type { Policy } from './rules.ts';
import type { ItemState, PaymentState, SubscriptionState } from './stripe-state.ts';

type Paid = Pick<PaymentState, 'amount' | 'refunded' | 'disputes'>;
type Line = PaymentState['lines'][number];

export function isRefunded({ amount, refunded }: Paid, policy: Policy): boolean {
  return refunded > 0 && (refunded >= amount || policy.partial_refund === 'revoke');
}

export function isDisputed({ disputes }: Paid, policy: Policy): boolean {
  if (disputes.includes('lost')) return true;
  const open = disputes.some((status) => status === 'needs_response' || status === 'under_review');
  return open && policy.dispute === 'suspend';
}

/** At a moment that is not before both states were read. */
export function bars(
  payment: PaymentState,
  sub: SubscriptionState,
  item: ItemState,
  policy: Policy,
  at: number,
): boolean {
  const gone =
    isDisputed(payment, policy) || (policy.subscription_refund === 'revoke_period' && isRefunded(payment, policy));
  return gone && payment.lines.some((line) => isFor(line, sub, item) && reliesOn(line, sub, item, at));
}

/** What an item was turned into is paid for by the same money, if it is of the same product. */
function isFor(line: Line, sub: SubscriptionState, item: ItemState): boolean {
  if (line.subscription !== sub.id) return false;
  const isThere = sub.items.some(({ id }) => id === line.item);
  return isThere ? line.item === item.id : line.product === item.product;
}

/** Whether access at a moment is owed to what the line paid for: its period, or the trust that outlasts the last one. */
function reliesOn(line: Line, sub: SubscriptionState, item: ItemState, at: number): boolean {
  // Of one that is past due the present period is not paid: who trusts it, trusts the one before.
  if (sub.status === 'past_due') return at < line.periodEnd || line.periodEnd >= item.periodStart;
  if (line.periodStart < item.periodStart) return false;
  return at < line.periodEnd || line.periodEnd >= item.periodEnd;
}
