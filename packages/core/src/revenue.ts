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
  for (const item of subscription.items) {
    const { price } = item;
    if (price === null || price.interval === null || price.usageType === 'metered') continue;
    const perPeriod = discounted(amountPerPeriod(item, price), price.currency, item.discounts, options);
    const monthly = multiply(perPeriod, monthsFactor(price.interval, price.intervalCount));
    sums.set(price.currency, add(sums.get(price.currency) ?? ZERO, monthly));
  }
  for (const [currency, sum] of sums) {
    // An amount off the whole subscription is taken off each invoice; the first item's period is the invoice's.
    const price = subscription.items.find((item) => item.price?.currency === currency)?.price;
    const factor = price?.interval ? monthsFactor(price.interval, price.intervalCount) : ratio(1);
    const amount = discounted(sum, currency, subscription.discounts, options, factor);
    if (isPositive(amount)) sums.set(currency, amount);
    else sums.delete(currency);
  }
  return sums;
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

/** Percentages first, each of what is left, then amounts; never below zero. `factor` turns an amount monthly. */
function discounted(
  amount: Rational,
  currency: string,
  discounts: readonly Discount[],
  options: RevenueOptions,
  factor: Rational = ratio(1),
): Rational {
  let left = amount;
  const counted = discounts.filter(({ duration }) => options.discounts === 'all' || duration === 'forever');
  for (const { percentOff } of counted) {
    if (percentOff !== null)
      left = multiply(left, subtract(ratio(1), multiply(decimal(String(percentOff)), ratio(1, 100))));
  }
  for (const { amountOff, currency: of } of counted) {
    if (amountOff !== null && of === currency) left = subtract(left, multiply(ratio(amountOff), factor));
  }
  return isPositive(left) ? left : ZERO;
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
