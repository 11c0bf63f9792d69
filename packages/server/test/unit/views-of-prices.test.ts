import { describe, expect, test } from 'vitest';
import { priceOfStripe } from '../../src/catalog/mirror-product.ts';
import { type PriceRow, priceView } from '../../src/catalog/views.ts';

const row: PriceRow = {
  id: 'price_1',
  connection_id: 'default',
  project_id: 'prj_1',
  product_id: 'prod_1',
  currency: 'jpy',
  unit_amount: 500,
  recurring_interval: 'month',
  recurring_interval_count: 3,
  usage_type: 'licensed',
  nickname: null,
  lookup_key: null,
  active: true,
  deleted: false,
  created_at: new Date('2026-01-02T03:04:05.678Z'),
  updated_at: new Date('2026-01-02T03:04:06.000Z'),
};

describe('a price as the API shows it', () => {
  test('carries times in UTC and amounts in minor units', () => {
    expect(priceView(row, [])).toEqual({
      object: 'price',
      id: 'price_1',
      product: 'prod_1',
      currency: 'jpy',
      unit_amount: 500,
      recurring: { interval: 'month', interval_count: 3, usage_type: 'licensed' },
      nickname: null,
      lookup_key: null,
      active: true,
      features: [],
      created_at: '2026-01-02T03:04:05.678Z',
      updated_at: '2026-01-02T03:04:06.000Z',
    });
  });

  test('is not recurring when it is paid once', () => {
    expect(
      priceView({ ...row, recurring_interval: null, recurring_interval_count: null, usage_type: null }, []).recurring,
    ).toBe(null);
  });

  test('shows its own mappings in the words of the API', () => {
    const mapping = { code: 'seats', value: 5, unlimited: false, perUnit: true, accessDays: null };
    expect(priceView(row, [mapping]).features).toEqual([
      { code: 'seats', value: 5, unlimited: false, per_unit: true, access_days: null },
    ]);
  });
});

describe("Stripe's price", () => {
  const stripe = {
    id: 'price_1',
    product: 'prod_1',
    currency: 'eur',
    unit_amount: null,
    recurring: null,
    nickname: null,
    lookup_key: null,
    active: true,
    created: 1_700_000_000,
  };

  test('keeps that there is no single amount', () => {
    expect(priceOfStripe(stripe).unitAmount).toBeNull();
  });

  test('names its product, expanded or not', () => {
    expect(priceOfStripe({ ...stripe, product: { id: 'prod_2' } }).productId).toBe('prod_2');
    expect(priceOfStripe(stripe)).toMatchObject({ productId: 'prod_1', createdAt: 1_700_000_000_000 });
  });
});
