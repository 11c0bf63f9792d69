/**
 * What access should be, by the words of the contract, one moment at a time: no windows, nothing clever, and nothing of
 * Tollgate's own code. May this customer use this feature at this moment, if Stripe says that and the rules are these?
 */
import { isDisputed, isRefunded } from './money-back.ts';
import type { Mapping, Rules } from './rules.ts';
import type { ItemState, PurchaseState, SourceState, SubscriptionState } from './stripe-state.ts';

export interface Grant {
  feature: string;
  effect: 'allow' | 'deny';
  value: number | null;
  unlimited: boolean;
  from: number;
  to: number | null;
  revokedAt: number | null;
}

/** An amount of a feature that somebody has at a moment. */
export interface Amount {
  value: number | null;
  unlimited: boolean;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Whether an item gives nothing, because the money for it went back. */
export type Barred = (sub: SubscriptionState, item: ItemState) => boolean;

/** What one object of Stripe's gives of a feature at a moment that is not before the state was read. */
export function given(state: SourceState, rules: Rules, feature: string, at: number, barred: Barred): Amount[] {
  return state.kind === 'subscription'
    ? givenBySubscription(state, rules, feature, at, barred)
    : givenByPurchase(state, rules, feature, at);
}

export function holds(grant: Grant, at: number): boolean {
  if (at < grant.from || (grant.to !== null && at >= grant.to)) return false;
  return grant.revokedAt === null || at < grant.revokedAt;
}

function givenBySubscription(
  sub: SubscriptionState,
  rules: Rules,
  feature: string,
  at: number,
  barred: Barred,
): Amount[] {
  const amounts: Amount[] = [];
  for (const item of sub.items) {
    const mapping = mappingOf(rules, item, feature);
    if (mapping === undefined || !entitles(sub, item, rules, at) || barred(sub, item)) continue;
    amounts.push(amountOf(mapping, item.quantity));
  }
  return amounts;
}

function entitles(sub: SubscriptionState, item: ItemState, rules: Rules, at: number): boolean {
  const { policy } = rules;
  if (sub.customerDeleted || sub.neverPaid || at < sub.startedAt) return false;
  const slack = policy.renewal_slack_hours * HOUR;
  // A scheduled end, by either of the ways in which Stripe says it.
  if (sub.cancelAt !== null && at >= sub.cancelAt) return false;
  const periodEnd =
    sub.status === 'trialing' ? Math.min(sub.trialEnd ?? item.periodEnd, item.periodEnd) : item.periodEnd;
  if (sub.cancelAtPeriodEnd && at >= periodEnd) return false;
  if (sub.collectionPaused && policy.pause_collection === 'deny') return false;
  if (sub.status === 'trialing') {
    if (policy.trial === 'deny') return false;
    const trialEnd = sub.trialEnd ?? item.periodEnd;
    const endsThen = sub.endsWithTrial || (sub.cancelAt !== null && sub.cancelAt <= trialEnd);
    return at < trialEnd + (endsThen ? 0 : slack);
  }
  if (sub.status === 'active') return at < item.periodEnd + slack;
  if (sub.status === 'past_due') return at < (sub.owedSince ?? item.periodStart) + policy.past_due_grace_days * DAY;
  return false;
}

function givenByPurchase(purchase: PurchaseState, rules: Rules, feature: string, at: number): Amount[] {
  if (purchase.paidAt === null || at < purchase.paidAt) return [];
  if (isRefunded(purchase, rules.policy) || isDisputed(purchase, rules.policy)) return [];
  const amounts: Amount[] = [];
  for (const line of purchase.lines) {
    const mapping = mappingOf(rules, line, feature);
    if (mapping === undefined) continue;
    if (mapping.access_days !== undefined && at >= purchase.paidAt + mapping.access_days * DAY) continue;
    amounts.push(amountOf(mapping, line.quantity));
  }
  return amounts;
}

function mappingOf(rules: Rules, { price, product }: { price: string; product: string }, feature: string) {
  const own = rules.prices[price]?.find(({ code }) => code === feature);
  return own ?? rules.products[product]?.find(({ code }) => code === feature);
}

function amountOf({ value, unlimited, per_unit }: Mapping, quantity: number): Amount {
  if (unlimited === true) return { value: null, unlimited: true };
  if (value === undefined) return { value: null, unlimited: false };
  return { value: per_unit === true ? value * quantity : value, unlimited: false };
}

/** All that somebody has of a feature, as one answer. */
export function combined(
  amounts: readonly Amount[],
  feature: Rules['features'][string],
): Amount & { entitled: boolean } {
  if (amounts.length === 0) return { entitled: false, value: null, unlimited: false };
  if (feature.type === 'boolean') return { entitled: true, value: null, unlimited: false };
  if (amounts.some(({ unlimited }) => unlimited)) return { entitled: true, value: null, unlimited: true };
  const values = amounts.map(({ value }) => value ?? 0);
  const value = feature.aggregation === 'sum' ? values.reduce((sum, next) => sum + next, 0) : Math.max(...values);
  return { entitled: true, value, unlimited: false };
}
