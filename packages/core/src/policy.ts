/**
 * What grants access, stated once: one fact under one access policy becomes windows of access. Nothing else in
 * Tollgate knows what a status means.
 */
import { type Access, without } from './barred.ts';
import type {
  AccessPolicy,
  BarredSpan,
  DeniedReason,
  GrantFact,
  Instant,
  InvoiceLine,
  InvoicePaymentFact,
  PurchaseFact,
  SourceWindow,
  SubscriptionFact,
  SubscriptionItem,
} from './model.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

export const DEFAULT_ACCESS_POLICY: AccessPolicy = {
  pastDueGraceDays: 7,
  renewalSlackHours: 72,
  pauseCollection: 'grant',
  trial: 'grant',
  dispute: 'suspend',
  partialRefund: 'keep',
  subscriptionRefund: 'ignore',
  redirectOrigins: [],
};

/**
 * Access by one item of a subscription: periods are per item, statuses per subscription.
 * @param payments - those of the customer's invoices that were refunded or disputed, in any order
 */
export function subscriptionAccess(
  sub: SubscriptionFact,
  item: SubscriptionItem,
  payments: readonly InvoicePaymentFact[],
  policy: AccessPolicy,
): Access {
  const bars = payments.flatMap((payment) => barsOf(payment, payments, sub, item, policy));
  return without(paidAccess(sub, item, policy), bars);
}

/** The same while every payment stands. */
function paidAccess(sub: SubscriptionFact, item: SubscriptionItem, policy: AccessPolicy): Access {
  const end = scheduledEnd(sub, item);
  const convertsAfterTrial = !(sub.missingPaymentMethod && sub.trialEndBehavior !== 'create_invoice');
  const periodEnd = item.currentPeriodEnd;
  const base = { periodEnd, willRenew: false };
  // Where a trial gives nothing, access begins with what is paid for.
  const start = policy.trial === 'deny' ? Math.max(sub.startedAt, sub.trialEnd ?? sub.startedAt) : sub.startedAt;
  if (sub.collectionPaused && policy.pauseCollection === 'deny' && isLive(sub.status)) {
    return { ...base, windows: [], endReason: 'paused', endedAt: null };
  }
  // Stripe has a subscription begin with a debit that may yet be returned, and leaves it as it is when that happens.
  if (sub.firstPayment !== undefined && isLive(sub.status)) {
    const endReason = sub.firstPayment === 'pending' ? 'payment_pending' : 'unpaid';
    return { ...base, windows: [], endReason, endedAt: null };
  }
  switch (sub.status) {
    case 'trialing': {
      if (policy.trial === 'deny') return { ...base, windows: [], endReason: 'payment_pending', endedAt: null };
      const trialEnd = sub.trialEnd ?? periodEnd;
      const trialing = span(sub.startedAt, earliest(trialEnd, end), 'subscription_trialing');
      // A cancellation that is scheduled for later lets the trial convert first.
      const converts = convertsAfterTrial && (end === null || end > trialEnd);
      const slackEnd = earliest(trialEnd + policy.renewalSlackHours * HOUR, end);
      const slack = converts ? span(trialEnd, slackEnd, 'subscription_slack') : [];
      const willRenew = converts && end === null;
      return ended({ ...base, willRenew }, [...trialing, ...slack], end === null ? 'expired' : 'canceled');
    }
    case 'active': {
      const active = span(start, earliest(periodEnd, end), 'subscription_active');
      const slackEnd = earliest(periodEnd + policy.renewalSlackHours * HOUR, end);
      const slack = end !== null && end <= periodEnd ? [] : span(periodEnd, slackEnd, 'subscription_slack');
      return ended({ ...base, willRenew: end === null }, [...active, ...slack], end === null ? 'expired' : 'canceled');
    }
    case 'past_due': {
      const since = sub.pastDueSince ?? item.currentPeriodStart;
      const graceEnd = since + policy.pastDueGraceDays * DAY;
      const endReason = end !== null && end < graceEnd ? 'canceled' : 'payment_past_due';
      return ended({ ...base, willRenew: end === null }, owedSince(since, start, end, policy), endReason);
    }
    case 'canceled': {
      const at = earliest(sub.endedAt ?? sub.canceledAt ?? sub.startedAt, end);
      if (sub.firstPayment !== undefined) return ended(base, [], 'canceled', at);
      const since = sub.pastDueSince;
      const windows = since === null ? span(start, at, 'subscription_active') : owedSince(since, start, at, policy);
      return ended(base, windows, 'canceled', at);
    }
    case 'incomplete':
      return { ...base, windows: [], endReason: 'payment_pending', endedAt: null };
    case 'incomplete_expired':
      return { ...base, windows: [], endReason: 'expired', endedAt: sub.endedAt };
    case 'unpaid': {
      // When it became so is not known, nor whether grace was over by then: of the past only what was paid for is certain.
      const since = sub.pastDueSince;
      return ended(base, since === null ? [] : span(start, since, 'subscription_active'), 'unpaid', since);
    }
    case 'paused':
      return { ...base, windows: [], endReason: 'paused', endedAt: sub.trialEnd };
    default:
      // A status that Stripe invents tomorrow grants nothing until somebody has decided what it means.
      return { ...base, windows: [], endReason: 'no_source', endedAt: null };
  }
}

/** What somebody had, and has, who owes since then: what was paid for, and grace. */
function owedSince(since: Instant, start: Instant, end: Instant | null, policy: AccessPolicy): SourceWindow[] {
  const graceEnd = since + policy.pastDueGraceDays * DAY;
  return [
    ...span(start, earliest(since, end), 'subscription_active'),
    ...span(Math.max(since, start), earliest(graceEnd, end), 'subscription_grace'),
  ];
}

/**
 * When an item gives nothing because of what became of a payment: for the periods that the payment bought, from the
 * moment at which its money went back or was called into question.
 */
function barsOf(
  payment: InvoicePaymentFact,
  payments: readonly InvoicePaymentFact[],
  sub: SubscriptionFact,
  item: SubscriptionItem,
  policy: AccessPolicy,
): BarredSpan[] {
  const bars: Pick<BarredSpan, 'from' | 'reason'>[] = [];
  const refundedFrom = policy.subscriptionRefund === 'revoke_period' ? revokedFrom(payment, payments, policy) : null;
  if (refundedFrom !== null) bars.push({ from: refundedFrom, reason: 'refunded' });
  if (payment.dispute !== null && disputeBars(payment.dispute.status, policy)) {
    bars.push({ from: payment.dispute.openedAt, reason: 'disputed' });
  }
  return payment.lines
    .filter((line) => chargesFor(line, sub, item))
    .flatMap((line) =>
      bars.map(({ from, reason }) => ({
        from: Math.max(from, line.periodStart),
        to: boughtUntil(line, sub, item),
        reason,
        paymentId: payment.id,
      })),
    );
}

/**
 * When a payment's refund revokes what it bought; null: it does not. Of an invoice that several payments paid, each is a
 * part, and all of it has gone back once all of them have.
 */
function revokedFrom(
  payment: InvoicePaymentFact,
  payments: readonly InvoicePaymentFact[],
  policy: AccessPolicy,
): Instant | null {
  if (payment.refundedMinor <= 0) return null;
  if (isRefunded(payment, policy)) return payment.refundedAt ?? 0;
  const together = payments.filter(
    (other) => other.refundedMinor > 0 && other.invoiceIds.join() === payment.invoiceIds.join(),
  );
  const refundedMinor = together.reduce((sum, other) => sum + other.refundedMinor, 0);
  if (refundedMinor < payment.amountMinor) return null;
  return Math.max(...together.map(({ refundedAt }) => refundedAt ?? 0));
}

/** An item that was replaced meanwhile paid for whatever the subscription has of the same product now. */
function chargesFor(line: InvoiceLine, sub: SubscriptionFact, item: SubscriptionItem): boolean {
  if (line.subscriptionId !== sub.id) return false;
  const stands = sub.items.some(({ id }) => id === line.subscriptionItemId);
  return stands ? line.subscriptionItemId === item.id : line.productId === item.productId;
}

/**
 * Where that which a line paid for ends: with its period, or earlier where another paid period takes its place. Slack
 * and grace trust whoever paid last; while nothing was paid after the line they hang on it, and there is no end (null).
 */
function boughtUntil(line: InvoiceLine, sub: SubscriptionFact, item: SubscriptionItem): Instant | null {
  const { currentPeriodStart: start, currentPeriodEnd: end } = item;
  const owes = sub.status === 'past_due' || (sub.status === 'canceled' && sub.pastDueSince !== null);
  if (owes) return line.periodEnd < start ? line.periodEnd : null;
  if (line.periodStart < start) return Math.min(line.periodEnd, start);
  return line.periodEnd < end ? line.periodEnd : null;
}

/** Access by a one-off purchase, for `accessDays` from the payment or for ever. */
export function purchaseAccess(purchase: PurchaseFact, accessDays: number | null, policy: AccessPolicy): Access {
  const base = { periodEnd: null, willRenew: false };
  if (purchase.status === 'pending') return { ...base, windows: [], endReason: 'payment_pending', endedAt: null };
  if (purchase.status === 'failed' || purchase.paidAt === null) {
    return { ...base, windows: [], endReason: 'unpaid', endedAt: null };
  }
  let to: Instant | null = accessDays === null ? null : purchase.paidAt + accessDays * DAY;
  let endReason: DeniedReason = 'expired';
  const cut = (at: Instant, reason: DeniedReason) => {
    if (to !== null && to <= at) return;
    to = at;
    endReason = reason;
  };
  if (isRefunded(purchase, policy)) cut(purchase.refundedAt ?? purchase.paidAt, 'refunded');
  if (purchase.dispute !== null && disputeBars(purchase.dispute.status, policy))
    cut(purchase.dispute.openedAt, 'disputed');
  return ended(base, span(purchase.paidAt, to, 'purchase'), endReason, to);
}

/** Access, or its denial, by a manual grant. */
export function grantAccess(grant: GrantFact): Access {
  const revokedFirst = grant.revokedAt !== null && (grant.validTo === null || grant.revokedAt < grant.validTo);
  const to = revokedFirst ? grant.revokedAt : grant.validTo;
  const windows = span(grant.validFrom, to, 'grant');
  return ended({ periodEnd: null, willRenew: false }, windows, revokedFirst ? 'revoked' : 'expired', to);
}

/** Subscriptions that MRR-like counts and pauses speak of: they have begun and not ended. */
function isLive(status: string): boolean {
  return status === 'active' || status === 'trialing' || status === 'past_due';
}

function scheduledEnd(sub: SubscriptionFact, item: SubscriptionItem): Instant | null {
  const atPeriodEnd = sub.cancelAtPeriodEnd
    ? sub.status === 'trialing' && sub.trialEnd !== null
      ? Math.min(sub.trialEnd, item.currentPeriodEnd)
      : item.currentPeriodEnd
    : null;
  if (sub.cancelAt === null) return atPeriodEnd;
  return atPeriodEnd === null ? sub.cancelAt : Math.min(sub.cancelAt, atPeriodEnd);
}

function isRefunded(
  { refundedMinor, amountMinor }: Pick<PurchaseFact, 'refundedMinor' | 'amountMinor'>,
  policy: AccessPolicy,
): boolean {
  if (refundedMinor <= 0) return false;
  return refundedMinor >= amountMinor || policy.partialRefund === 'revoke';
}

/**
 * A lost dispute took the money back whatever the policy, and an appeal against that has not brought it back yet; an open
 * one suspends by policy; a warning is no dispute.
 */
function disputeBars(status: string, policy: AccessPolicy): boolean {
  if (status === 'lost' || status.startsWith('appeal_')) return true;
  if (status === 'won' || status === 'prevented' || status.startsWith('warning_')) return false;
  return policy.dispute === 'suspend';
}

function span(from: Instant, to: Instant | null, reason: SourceWindow['reason']): SourceWindow[] {
  return to !== null && to <= from ? [] : [{ from, to, reason }];
}

function earliest(at: Instant, end: Instant | null): Instant {
  return end === null ? at : Math.min(at, end);
}

function ended(
  base: Pick<Access, 'periodEnd' | 'willRenew'>,
  windows: readonly SourceWindow[],
  endReason: DeniedReason,
  endedAt: Instant | null = windows.at(-1)?.to ?? null,
): Access {
  return { ...base, windows, endReason, endedAt };
}
