import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Discount, decimal, mrr, type PriceTerms, round, type SubscriptionFact } from '../src/index.ts';
import { item, subscription, terms } from './build.ts';

const of = (price: Partial<PriceTerms>, quantity: number | null = 1, more: Partial<SubscriptionFact> = {}) =>
  subscription({ items: [item({ price: terms(price), quantity })], ...more });
const usd = (...subscriptions: SubscriptionFact[]) => mrr(subscriptions)[0]?.amount ?? 0;
const off = (parts: Partial<Discount>): Discount => ({
  duration: 'forever',
  percentOff: null,
  amountOff: null,
  currency: null,
  end: null,
  ...parts,
});
const tiers = [
  { upTo: 5, unitAmountDecimal: '100', flatAmountDecimal: '50' },
  { upTo: null, unitAmountDecimal: '10', flatAmountDecimal: null },
];

describe('mrr', () => {
  it.each([
    ['a month', {}, 1, 1000],
    ['three months', { intervalCount: 3 }, 1, 333],
    ['a year', { interval: 'year', unitAmount: 12_000 }, 1, 1000],
    ['two years', { interval: 'year', intervalCount: 2, unitAmount: 24_000 }, 1, 1000],
    ['a week', { interval: 'week', unitAmount: 300 }, 1, 1300],
    ['a day', { interval: 'day', unitAmount: 12 }, 1, 365],
    ['a quantity', {}, 7, 7000],
    ['a decimal amount', { unitAmount: null, unitAmountDecimal: '0.5' }, 3, 2],
    ['a metered price', { usageType: 'metered' }, null, 0],
    ['a one-off price', { interval: null }, 1, 0],
    ['a free price', { unitAmount: 0 }, 1, 0],
    ['graduated tiers', { billingScheme: 'tiered', tiersMode: 'graduated', tiers }, 8, 50 + 500 + 30],
    ['volume tiers', { billingScheme: 'tiered', tiersMode: 'volume', tiers }, 8, 80],
    ['packages, rounded up', { transformQuantity: { divideBy: 10, round: 'up' } }, 11, 2000],
    ['packages, rounded down', { transformQuantity: { divideBy: 10, round: 'down' } }, 19, 1000],
  ] as const)('counts %s', (_name, price, quantity, expected) => {
    expect(usd(of(price, quantity))).toBe(expected);
  });

  it.each([
    ['active', 1000],
    ['past_due', 1000],
    ['trialing', 0],
    ['unpaid', 0],
    ['paused', 0],
    ['canceled', 0],
    ['incomplete', 0],
  ])('counts a subscription that is %s as %i', (status, expected) => {
    expect(usd(subscription({ status }))).toBe(expected);
  });

  it('is lowered by coupons for ever, not by those that end, and never goes below zero', () => {
    expect(usd(of({}, 1, { discounts: [off({ percentOff: 25 })] }))).toBe(750);
    expect(usd(of({}, 1, { discounts: [off({ percentOff: 25, duration: 'repeating' })] }))).toBe(1000);
    expect(mrr([of({}, 1, { discounts: [off({ percentOff: 25, duration: 'once' })] })], { discounts: 'all' })).toEqual([
      { currency: 'usd', amount: 750 },
    ]);
    expect(
      usd(of({ interval: 'year', unitAmount: 12_000 }, 1, { discounts: [off({ amountOff: 1200, currency: 'usd' })] })),
    ).toBe(900);
    expect(mrr([of({}, 1, { discounts: [off({ amountOff: 5000, currency: 'usd' })] })])).toEqual([]);
    const items = [item({ discounts: [off({ percentOff: 50 })] }), item({ id: 'si_2' })];
    expect(usd(subscription({ items }))).toBe(1500);
  });

  it('is lowered by a coupon for some products only where these are what is sold', () => {
    const items = [item(), item({ id: 'si_2', productId: 'prod_other', price: terms({ unitAmount: 400 }) })];
    const discounted = (...discounts: Discount[]) => usd(subscription({ items, discounts }));
    expect(discounted(off({ percentOff: 50, appliesTo: ['prod_other'] }))).toBe(1200);
    expect(discounted(off({ percentOff: 50, appliesTo: ['prod_other', 'prod_plan'] }))).toBe(700);
    expect(discounted(off({ percentOff: 50, appliesTo: ['prod_gone'] }))).toBe(1400);
    expect(discounted(off({ amountOff: 500, currency: 'usd', appliesTo: ['prod_other'] }))).toBe(1000);
    const two = [off({ percentOff: 50, appliesTo: ['prod_plan'] }), off({ amountOff: 700, currency: 'usd' })];
    expect(discounted(...two)).toBe(200);
    expect(discounted(...two.toReversed())).toBe(200);
  });

  it('never sums currencies, and sorts them', () => {
    expect(
      mrr([of({ currency: 'usd' }), of({ currency: 'eur', unitAmount: 5 }), of({ currency: 'eur', unitAmount: 6 })]),
    ).toEqual([
      { currency: 'eur', amount: 11 },
      { currency: 'usd', amount: 1000 },
    ]);
  });

  it('rounds once, at the end: three thirds are a whole', () => {
    const third = of({ intervalCount: 3, unitAmount: 100 });
    expect(usd(third, third, third)).toBe(100);
  });

  it('of all is the sum of each, whatever the order', () => {
    const some = fc.array(
      fc.record({
        unitAmount: fc.integer({ min: 0, max: 1e6 }).map((n) => n * 12),
        interval: fc.constantFrom('year', 'month'),
      }),
    );
    fc.assert(
      fc.property(some, (prices) => {
        const all = prices.map((price) => of(price as Partial<PriceTerms>));
        const sum = all.reduce((total, one) => total + usd(one), 0);
        expect(usd(...all)).toBe(sum);
        expect(usd(...all.toReversed())).toBe(sum);
      }),
    );
  });
});

describe('decimals', () => {
  it('are read exactly and refused when they are none', () => {
    expect(round(decimal('2.5'))).toBe(3);
    expect(round(decimal('-2.5'))).toBe(-3);
    expect(() => decimal('1e3')).toThrow('not a decimal number');
  });
});
