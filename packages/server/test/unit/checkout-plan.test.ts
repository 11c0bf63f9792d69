import { describe, expect, it } from 'vitest';
import type { PriceRow } from '../../src/catalog/views.ts';
import { refuseBadMetadata } from '../../src/checkout/metadata.ts';
import { planOf } from '../../src/checkout/plan.ts';
import { withoutRivals } from '../../src/checkout/portal-offers.ts';
import { sessionParams } from '../../src/checkout/session-params.ts';

const at = new Date(0);
const BUYER = {
  installation: 'test',
  projectId: 'prj_1',
  customerId: 'cust_1',
  externalId: 'u_42',
  stripeCustomerId: 'cus_1',
};
const URLS = { success_url: 'https://a.example/?s={CHECKOUT_SESSION_ID}', cancel_url: 'https://a.example/no' };

function price(id: string, change: Partial<PriceRow> = {}): PriceRow {
  return {
    id,
    connection_id: 'default',
    project_id: 'prj_1',
    product_id: 'prod_pro',
    currency: 'eur',
    unit_amount: 900,
    recurring_interval: 'month',
    recurring_interval_count: 1,
    usage_type: 'licensed',
    nickname: null,
    lookup_key: null,
    active: true,
    deleted: false,
    created_at: at,
    updated_at: at,
    ...change,
  };
}

const oneOff = { recurring_interval: null, recurring_interval_count: null, usage_type: null };

function lines(...prices: PriceRow[]) {
  return prices.map((each, index) => ({
    price: each,
    quantity: each.usage_type === 'metered' ? null : 1,
    path: `line_items.${index}.price`,
  }));
}

describe('the mode of a session', () => {
  it('is payment when nothing recurs', () => {
    const plan = planOf(lines(price('price_1', oneOff), price('price_2', oneOff)));
    expect(plan.mode).toBe('payment');
    expect(plan.recurringProducts).toEqual([]);
  });

  it('is subscription as soon as one price recurs', () => {
    const plan = planOf(lines(price('price_1', { ...oneOff, product_id: 'prod_setup' }), price('price_2')));
    expect(plan.mode).toBe('subscription');
    expect(plan.recurringProducts).toEqual(['prod_pro']);
  });

  it.each([
    [{ recurring_interval: 'year' }, 'another billing interval: 1 year, not 1 month'],
    [{ recurring_interval_count: 3 }, 'another billing interval: 3 months, not 1 month'],
    [{ currency: 'usd' }, 'another currency: usd, not eur'],
  ])('cannot be told from prices that differ in %j', (change, message) => {
    expect(() => planOf(lines(price('price_1'), price('price_2', change)))).toThrow(
      expect.objectContaining({
        code: 'invalid_request',
        errors: [{ path: 'line_items.1.price', message: expect.stringContaining(message) }],
      }),
    );
  });

  it.each([{ trial_period_days: 7 }, { payment_method_collection: 'if_required' as const }])(
    'does not fit %j when nothing recurs',
    (wishes) => {
      expect(() => planOf(lines(price('price_1', oneOff)), wishes)).toThrow(/is for subscriptions/);
    },
  );
});

describe('what Stripe is asked for', () => {
  it('carries the stamps on the session and on the subscription, and the customer instead of an email', () => {
    const metadata = { cart: '7' };
    const params = sessionParams(planOf(lines(price('price_1'))), { ...URLS, metadata }, BUYER);
    const stamped = {
      cart: '7',
      tollgate_installation: 'test',
      tollgate_project: 'prj_1',
      tollgate_customer: 'cust_1',
    };
    expect(params).toEqual({
      mode: 'subscription',
      customer: 'cus_1',
      client_reference_id: 'u_42',
      ...URLS,
      line_items: [{ price: 'price_1', quantity: 1 }],
      metadata: stamped,
      subscription_data: { metadata: stamped },
    });
  });

  it('carries the stamps on the payment of a one-off purchase', () => {
    const params = sessionParams(planOf(lines(price('price_1', oneOff))), URLS, BUYER);
    expect(params.payment_intent_data?.metadata).toEqual(params.metadata);
    expect(params.metadata).toMatchObject({ tollgate_customer: 'cust_1' });
    expect(params).not.toHaveProperty('subscription_data');
  });

  it('names no quantity of a metered price', () => {
    const params = sessionParams(planOf(lines(price('price_1', { usage_type: 'metered' }))), URLS, BUYER);
    expect(params.line_items).toEqual([{ price: 'price_1' }]);
  });

  it('passes promotion codes, taxes and the collection of a card on, false as well as true', () => {
    const wishes = {
      ...URLS,
      allow_promotion_codes: true,
      automatic_tax: true,
      tax_id_collection: true,
      payment_method_collection: 'always' as const,
    };
    const plan = planOf(lines(price('price_1')));
    expect(sessionParams(plan, wishes, BUYER)).toMatchObject({
      allow_promotion_codes: true,
      automatic_tax: { enabled: true },
      tax_id_collection: { enabled: true },
      customer_update: { address: 'auto', name: 'auto' },
      payment_method_collection: 'always',
    });
    const declined = { ...URLS, allow_promotion_codes: false, automatic_tax: false, tax_id_collection: false };
    const params = sessionParams(plan, declined, BUYER);
    expect(params).toMatchObject({ allow_promotion_codes: false, automatic_tax: { enabled: false } });
    expect(params).not.toHaveProperty('customer_update');
  });

  it('ends a trial that needs no card when there is none', () => {
    const plan = planOf(lines(price('price_1')));
    const free = { ...URLS, trial_period_days: 14, payment_method_collection: 'if_required' as const };
    expect(sessionParams(plan, free, BUYER).subscription_data).toMatchObject({
      trial_period_days: 14,
      trial_settings: { end_behavior: { missing_payment_method: 'cancel' } },
    });
    const withCard = sessionParams(plan, { ...URLS, trial_period_days: 14 }, BUYER).subscription_data;
    expect(withCard).toMatchObject({ trial_period_days: 14 });
    expect(withCard).not.toHaveProperty('trial_settings');
  });

  it('does not let metadata overwrite a stamp', () => {
    const metadata = { tollgate_customer: 'cust_other' };
    const params = sessionParams(planOf(lines(price('price_1'))), { ...URLS, metadata }, BUYER);
    expect(params.metadata).toMatchObject({ tollgate_customer: 'cust_1' });
  });
});

describe('metadata of a session', () => {
  it('may hold what the app likes', () => {
    expect(() => refuseBadMetadata({ cart: '7', 'über uns': '' })).not.toThrow();
  });

  it.each(['tollgate_customer', 'Tollgate_Project', 'tollgate_', 'a[b]', '', 'x'.repeat(41)])(
    'must not be called %j',
    (name) => {
      expect(() => refuseBadMetadata({ [name]: '1' })).toThrow(expect.objectContaining({ code: 'invalid_request' }));
    },
  );

  it('has at most 40 keys', () => {
    const keys = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, '1']));
    expect(() => refuseBadMetadata(keys(40))).not.toThrow();
    expect(() => refuseBadMetadata(keys(41))).toThrow(/more than 40/);
  });
});

it('leaves the newest of several prices at one pace where Stripe takes no rivals', () => {
  const prices = [
    { id: 'price_old', pace: 'eur 1 month' },
    { id: 'price_year', pace: 'eur 1 year' },
    { id: 'price_new', pace: 'eur 1 month' },
  ];
  const left = withoutRivals({ byQuantity: false, products: [{ product: 'prod_1', prices }] });
  expect(left.products[0]?.prices.map(({ id }) => id)).toEqual(['price_year', 'price_new']);
});
