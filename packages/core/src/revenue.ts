import type { Discount, PriceTerms, PriceTier, SubscriptionFact, SubscriptionItem } from './model.ts';
import { add, decimal, isPositive, multiply, type Rational, ratio, round, subtract, ZERO } from './rational.ts';

/** An amount in integer minor units of its currency. */
export interface Money {
  currency: string;
  amount: number;
}

export interface RevenueOptions {
  /** Which coupons lower MRR. Those that end by themselves do not, unless asked for. */
  discounts?: 'forever' | 'all';
}

/**
 * Monthly recurring revenue per currency, sorted by currency, in integer minor units; each currency is summed exactly
 * and rounded once, halves away from zero. Counts `active` and `past_due` subscriptions; metered items, free ones and
 * taxes add nothing.
 */
export function mrr(subscriptions: Iterable<SubscriptionFact>, options: RevenueOptions = {}): Money[] {
  const sums = new Map<string, Rational>();
  for (const subscription of subscriptions) {
    for (const [currency, amount] of monthlyRevenueOf(subscription, options)) {
      sums.set(currency, add(sums.get(currency) ?? ZERO, amount));
    }
  }
  return [...sums]
    .map(([currency, sum]) => ({ currency, amount: round(sum) }))
    .sort((a, b) => (a.currency < b.currency ? -1 : 1));
}

/** One subscription's exact monthly value per currency, in minor units; empty when its status does not count. */
export function monthlyRevenueOf(subscription: SubscriptionFact, options: RevenueOptions = {}): Map<string, Rational> {
  const sums = new Map<string, Rational>();
  if (subscription.status !== 'active' && subscription.status !== 'past_due') return sums;
  const amounts = subscription.items.flatMap((item) => monthlyAmountOf(item, options));
  for (const { currency, value } of discounted(amounts, subscription.discounts, options)) {
    if (isPositive(value)) sums.set(currency, add(sums.get(currency) ?? ZERO, value));
  }
  return sums;
}

/** What is sold of one product, as discounts take from it. */
interface Amount {
  productId: string;
  currency: string;
  value: Rational;
  /** Makes monthly what is taken off an invoice. */
  factor: Rational;
}

function monthlyAmountOf(item: SubscriptionItem, options: RevenueOptions): Amount[] {
  const { price, productId } = item;
  if (price === null || price.interval === null || price.usageType === 'metered') return [];
  const { currency } = price;
  const perPeriod = { productId, currency, value: amountPerPeriod(item, price), factor: ratio(1) };
  const factor = monthsFactor(price.interval, price.intervalCount);
  return discounted([perPeriod], item.discounts, options).map(({ value }) => ({
    ...perPeriod,
    value: multiply(value, factor),
    factor,
  }));
}

function amountPerPeriod(item: SubscriptionItem, price: PriceTerms): Rational {
  const quantity = transformed(item.quantity ?? 1, price);
  if (price.billingScheme === 'tiered') return tiered(quantity, price.tiers, price.tiersMode ?? 'graduated');
  return multiply(unitAmount(price), ratio(quantity));
}

function unitAmount(price: PriceTerms): Rational {
  if (price.unitAmountDecimal !== null) return decimal(price.unitAmountDecimal);
  return ratio(price.unitAmount ?? 0);
}

function transformed(quantity: number, { transformQuantity }: PriceTerms): number {
  if (transformQuantity === null) return quantity;
  const packages = quantity / transformQuantity.divideBy;
  return transformQuantity.round === 'up' ? Math.ceil(packages) : Math.floor(packages);
}

/** Volume prices all units by the tier that the total falls in; graduated prices each unit by its own tier. */
function tiered(quantity: number, tiers: readonly PriceTier[], mode: 'graduated' | 'volume'): Rational {
  if (mode === 'volume') {
    const tier = tiers.find(({ upTo }) => upTo === null || quantity <= upTo);
    return tier === undefined ? ZERO : tierAmount(tier, quantity);
  }
  let total = ZERO;
  let from = 0;
  for (const tier of tiers) {
    const units = Math.min(quantity, tier.upTo ?? quantity) - from;
    if (units <= 0 && from > 0) break;
    total = add(total, tierAmount(tier, Math.max(units, 0)));
    from = tier.upTo ?? quantity;
    if (from >= quantity) break;
  }
  return total;
}

function tierAmount(tier: PriceTier, units: number): Rational {
  const perUnit = multiply(decimal(tier.unitAmountDecimal ?? '0'), ratio(units));
  return add(perUnit, decimal(tier.flatAmountDecimal ?? '0'));
}

/** Percentages first, each of what is left, then amounts, from one after the other as far as they go. */
function discounted(
  amounts: readonly Amount[],
  discounts: readonly Discount[],
  options: RevenueOptions,
): readonly Amount[] {
  let left = amounts;
  const counted = discounts.filter(({ duration }) => options.discounts === 'all' || duration === 'forever');
  for (const { percentOff, appliesTo } of counted) {
    if (percentOff === null) continue;
    const stays = subtract(ratio(1), multiply(decimal(String(percentOff)), ratio(1, 100)));
    left = left.map((one) => (isFor(one, appliesTo) ? { ...one, value: multiply(one.value, stays) } : one));
  }
  for (const { amountOff, currency, appliesTo } of counted) {
    if (amountOff === null) continue;
    const concerned = (one: Amount) => one.currency === currency && isFor(one, appliesTo);
    // It is taken off each invoice; the first item's period is the invoice's.
    let off = multiply(ratio(amountOff), left.find(concerned)?.factor ?? ZERO);
    left = left.map((one) => {
      if (!concerned(one)) return one;
      const taken = least(one.value, off);
      off = subtract(off, taken);
      return { ...one, value: subtract(one.value, taken) };
    });
  }
  return left;
}

function isFor({ productId }: Amount, appliesTo: Discount['appliesTo']): boolean {
  return appliesTo === undefined || appliesTo.includes(productId);
}

function least(a: Rational, b: Rational): Rational {
  return isPositive(subtract(a, b)) ? b : a;
}

/** How many of these periods a month holds: year 1/12, week 52/12, day 365/12. */
function monthsFactor(interval: 'day' | 'week' | 'month' | 'year', count: number): Rational {
  switch (interval) {
    case 'year':
      return ratio(1, 12 * count);
    case 'month':
      return ratio(1, count);
    case 'week':
      return ratio(52, 12 * count);
    case 'day':
      return ratio(365, 12 * count);
    default:
      return interval satisfies never;
  }
}
