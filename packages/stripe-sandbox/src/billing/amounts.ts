import type { Price, Tier } from '../model.ts';

function unitAmount(whole: number | null, decimal: string | null): number {
  return decimal === null ? (whole ?? 0) : Number(decimal);
}

function tierAmount(tier: Tier, quantity: number): number {
  const flat = unitAmount(tier.flat_amount, tier.flat_amount_decimal);
  return unitAmount(tier.unit_amount, tier.unit_amount_decimal) * quantity + flat;
}

function tieredAmount(price: Price, quantity: number): number {
  if (price.tiers_mode === 'volume') {
    const tier = price.$.tiers.find(({ up_to }) => up_to === null || quantity <= up_to);
    return tier === undefined ? 0 : tierAmount(tier, quantity);
  }
  let total = 0;
  let from = 0;
  for (const tier of price.$.tiers) {
    const upTo = tier.up_to ?? Number.POSITIVE_INFINITY;
    if (quantity <= from) break;
    total += tierAmount(tier, Math.min(quantity, upTo) - from);
    from = upTo;
  }
  return total;
}

/** What a quantity of a price costs for one period, in the smallest unit of its currency. */
export function amountFor(price: Price, quantity: number): number {
  if (price.recurring?.usage_type === 'metered') return 0;
  if (price.billing_scheme === 'tiered') return Math.round(tieredAmount(price, quantity));
  let units = quantity;
  if (price.transform_quantity !== null) {
    const { divide_by, round } = price.transform_quantity;
    units = round === 'up' ? Math.ceil(quantity / divide_by) : Math.floor(quantity / divide_by);
  }
  return Math.round(unitAmount(price.unit_amount, price.unit_amount_decimal) * units);
}

/** Currencies whose smallest unit is the whole, as Stripe lists them. */
const ZERO_DECIMAL = new Set('bif clp djf gnf jpy kmf krw mga pyg rwf ugx vnd vuv xaf xof xpf'.split(' '));
const THREE_DECIMAL = new Set(['bhd', 'jod', 'kwd', 'omr', 'tnd']);

/** Making one is slow, and there are few currencies. */
const FORMATS = new Map<string, { format: Intl.NumberFormat; unit: number }>();

function formatOf(currency: string): { format: Intl.NumberFormat; unit: number } {
  const known = FORMATS.get(currency);
  if (known !== undefined) return known;
  const digits = ZERO_DECIMAL.has(currency) ? 0 : THREE_DECIMAL.has(currency) ? 3 : 2;
  const format = new Intl.NumberFormat('en-US', {
    style: 'currency',
    currency: currency.toUpperCase(),
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  const made = { format, unit: 10 ** digits };
  FORMATS.set(currency, made);
  return made;
}

/** An amount as people read it, such as `$20.00`. */
export function money(amount: number, currency: string): string {
  const { format, unit } = formatOf(currency);
  return format.format(amount / unit);
}
