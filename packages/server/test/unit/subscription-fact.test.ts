import { describe, expect, it, test } from 'vitest';
import type { FetchedSubscription } from '../../src/mirror/fetch-subscription.ts';
import { parseShape } from '../../src/mirror/parse-shape.ts';
import { SubscriptionShape } from '../../src/mirror/shapes.ts';
import { endedFact, subscriptionFact } from '../../src/mirror/subscription-fact.ts';
import {
  coupon,
  customer,
  DAY,
  discount,
  invoice,
  item,
  price,
  START,
  subscription,
} from '../support/mirror-objects.ts';
import type { Json } from '../support/mirror-stripe.ts';

/** What a subscription with these members becomes. */
function fetched(fields: Json = {}, rest: Partial<FetchedSubscription> = {}): FetchedSubscription {
  const { items = [item('si_1', price('price_1', 'prod_1'))], ...members } = fields;
  const given = subscription('sub_1', 'cus_1', items, members);
  const read = parseShape(SubscriptionShape, given, 'subscription');
  return {
    subscription: read,
    items: read.items.data,
    customer: customer('cus_1'),
    openInvoices: [],
    lastPaidInvoice: null,
    firstPayment: null,
    ...rest,
  };
}

const fact = (fields: Json = {}, rest: Partial<FetchedSubscription> = {}) => subscriptionFact(fetched(fields, rest));
const ms = (seconds: number) => seconds * 1000;

describe('a subscription as a fact', () => {
  it('has everything in milliseconds, and nothing of Stripe’s that nobody asked for', () => {
    expect(fact()).toEqual({
      kind: 'subscription',
      id: 'sub_1',
      status: 'active',
      items: [
        {
          id: 'si_1',
          priceId: 'price_1',
          productId: 'prod_1',
          quantity: 1,
          currentPeriodStart: ms(START),
          currentPeriodEnd: ms(START + 30 * DAY),
          price: {
            currency: 'eur',
            unitAmount: 1000,
            unitAmountDecimal: '1000',
            interval: 'month',
            intervalCount: 1,
            usageType: 'licensed',
            billingScheme: 'per_unit',
            tiersMode: null,
            tiers: [],
            transformQuantity: null,
          },
          discounts: [],
        },
      ],
      startedAt: ms(START),
      cancelAt: null,
      cancelAtPeriodEnd: false,
      canceledAt: null,
      endedAt: null,
      trialStart: null,
      trialEnd: null,
      trialEndBehavior: 'create_invoice',
      collectionPaused: false,
      pastDueSince: null,
      discounts: [],
      missingPaymentMethod: false,
    });
  });

  it.each([
    'active',
    'trialing',
    'past_due',
    'unpaid',
    'canceled',
    'incomplete',
    'incomplete_expired',
    'paused',
    'invented_tomorrow',
  ])('keeps the status %s as it came', (status) => {
    expect(fact({ status }).status).toBe(status);
  });

  it.each<[string, Json, Json]>([
    ['a scheduled end', { cancel_at: START + DAY }, { cancelAt: ms(START + DAY), cancelAtPeriodEnd: false }],
    ['an end with the period', { cancel_at_period_end: true }, { cancelAtPeriodEnd: true }],
    ['paused collection', { pause_collection: { behavior: 'void', resumes_at: null } }, { collectionPaused: true }],
    ['an end', { canceled_at: START, ended_at: START + 1 }, { canceledAt: ms(START), endedAt: ms(START + 1) }],
    ['a trial', { trial_start: START, trial_end: START + 5 }, { trialStart: ms(START), trialEnd: ms(START + 5) }],
    ['no trial settings', { trial_settings: null }, { trialEndBehavior: 'create_invoice' }],
    ['an update that is not paid yet', { pending_update: { expires_at: START } }, { items: [{ priceId: 'price_1' }] }],
  ])('shows %s', (_what, fields, expected) => {
    expect(fact(fields)).toMatchObject(expected);
  });

  it('is the same in whatever order its items come', () => {
    const items = ['si_b', 'si_a', 'si_c'].map((id) => item(id, price('price_1', 'prod_1')));
    expect(fact({ items })).toEqual(fact({ items: items.toReversed() }));
  });

  it('has no quantity for a metered item, and the product’s id where the product came whole', () => {
    const recurring = { interval: 'month', interval_count: 1, usage_type: 'metered' };
    const metered = price('price_m', 'prod_1', { recurring, product: { id: 'prod_whole' } });
    expect(fact({ items: [item('si_m', metered, { quantity: 3 })] }).items[0]).toMatchObject({
      quantity: null,
      productId: 'prod_whole',
      price: { usageType: 'metered' },
    });
  });

  it('has tiers, packages and decimals as text, whether they are text or the SDK’s numbers', () => {
    const tiered = price('price_t', 'prod_1', {
      billing_scheme: 'tiered',
      tiers_mode: 'graduated',
      unit_amount: null,
      unit_amount_decimal: null,
      tiers: [
        { up_to: 10, unit_amount_decimal: { toString: () => '0.5' }, flat_amount_decimal: null },
        { up_to: null, unit_amount_decimal: '0.25', flat_amount_decimal: '100' },
      ],
      transform_quantity: { divide_by: 10, round: 'up' },
    });
    expect(fact({ items: [item('si_t', tiered)] }).items[0]?.price).toMatchObject({
      billingScheme: 'tiered',
      tiersMode: 'graduated',
      tiers: [
        { upTo: 10, unitAmountDecimal: '0.5', flatAmountDecimal: null },
        { upTo: null, unitAmountDecimal: '0.25', flatAmountDecimal: '100' },
      ],
      transformQuantity: { divideBy: 10, round: 'up' },
    });
  });

  it('has the discounts of itself and of its items', () => {
    const own = discount('di_1', coupon('co_1', { duration: 'repeating' }), { end: START + DAY });
    const ofItem = discount('di_2', coupon('co_2'));
    const made = fact({ discounts: [own], items: [item('si_1', price('price_1', 'prod_1'), { discounts: [ofItem] })] });
    expect(made.discounts).toEqual([
      { duration: 'repeating', percentOff: 25, amountOff: null, currency: null, end: ms(START + DAY) },
    ]);
    expect(made.items[0]?.discounts).toMatchObject([{ duration: 'forever' }]);
  });

  it('has of a coupon what it is good for, and what it takes off in the currency that is paid in', () => {
    const limited = coupon('co_1', { applies_to: { products: ['prod_2', 'prod_1'] } });
    const amount = { percent_off: null, amount_off: 500, currency: 'usd' };
    const given = (...coupons: Json[]) => fact({ discounts: coupons.map((one, n) => discount(`di_${n}`, one)) });
    expect(given(limited).discounts).toMatchObject([{ percentOff: 25, appliesTo: ['prod_1', 'prod_2'] }]);
    const options = { eur: { amount_off: 450 }, usd: { amount_off: 500 } };
    expect(given(coupon('co_2', { ...amount, currency_options: options })).discounts).toMatchObject([
      { amountOff: 450, currency: 'eur' },
    ]);
    expect(given(coupon('co_3', amount)).discounts).toMatchObject([{ amountOff: 500, currency: 'usd' }]);
  });

  it('is refused while a discount is only an id: revenue would be too high', () => {
    expect(() => fact({ discounts: ['di_1'] })).toThrow('not expanded');
  });
});

describe('the moment since which payment is owed', () => {
  const open = (created: number, fields: Json = {}) =>
    invoice(`in_${created}`, 'sub_1', { created, status_transitions: { finalized_at: created + 60 }, ...fields });

  it.each<[string, Partial<FetchedSubscription>, number | null]>([
    ['nothing is open', {}, null],
    ['one is open', { openInvoices: [open(START)] }, START + 60],
    ['several are open: the oldest', { openInvoices: [open(START + DAY), open(START)] }, START + 60],
    ['it has a due date', { openInvoices: [open(START, { due_date: START + 14 * DAY })] }, START + 14 * DAY],
    [
      'an older one was left open and a newer one paid',
      { openInvoices: [open(START - DAY), open(START + DAY)], lastPaidInvoice: invoice('in_paid', 'sub_1') },
      START + DAY + 60,
    ],
    [
      'all that is open is older than what was paid',
      { openInvoices: [open(START - DAY)], lastPaidInvoice: invoice('in_paid', 'sub_1') },
      null,
    ],
    ['it was never finalized', { openInvoices: [open(START, { status_transitions: { finalized_at: null } })] }, START],
  ])('when %s', (_when, rest, seconds) => {
    expect(fact({ status: 'past_due' }, rest).pastDueSince).toBe(seconds === null ? null : ms(seconds));
  });
});

test('of one that was canceled because nobody paid, payment is owed since its last period began', () => {
  const canceled = (reason: string | null) => fact({ status: 'canceled', cancellation_details: { reason } });
  expect(canceled('payment_failed').pastDueSince).toBe(ms(START));
  expect(canceled('cancellation_requested').pastDueSince).toBeNull();
  expect(canceled(null).pastDueSince).toBeNull();
});

describe('a missing payment method', () => {
  const trial = (behavior: string, fields: Json = {}) => ({
    status: 'trialing',
    trial_settings: { end_behavior: { missing_payment_method: behavior } },
    ...fields,
  });
  const withMethod = customer('cus_1', { invoice_settings: { default_payment_method: 'pm_1' } });

  it.each<[boolean, string, Json, Partial<FetchedSubscription>]>([
    [true, 'a trial that will cancel', trial('cancel'), {}],
    [true, 'a trial that will pause', trial('pause'), {}],
    [false, 'a trial that is invoiced anyway', trial('create_invoice'), {}],
    [false, 'a subscription with a method', trial('cancel', { default_payment_method: 'pm_1' }), {}],
    [false, 'a subscription with a source', trial('cancel', { default_source: 'card_1' }), {}],
    [false, 'a customer with a method', trial('cancel'), { customer: withMethod }],
    [false, 'a customer with a source', trial('pause'), { customer: customer('cus_1', { default_source: 'card_1' }) }],
    [false, 'an active subscription', { ...trial('cancel'), status: 'active' }, {}],
  ])('is %s for %s', (missing, _what, fields, rest) => {
    expect(fact(fields, rest).missingPaymentMethod).toBe(missing);
  });
});

describe('a subscription that Stripe has no more', () => {
  it('ends now', () => {
    expect(endedFact(fact(), 5)).toEqual({ ...fact(), status: 'canceled', canceledAt: 5, endedAt: 5 });
  });

  it.each(['canceled', 'incomplete_expired'])('and was %s already stays as it was', (status) => {
    const over = fact({ status, canceled_at: START, ended_at: START });
    expect(endedFact(over, 5)).toEqual(over);
  });
});

describe('a shape that does not fit', () => {
  it.each<[string, (object: Json) => void]>([
    ['status', (object) => delete object.status],
    ['start_date', (object) => (object.start_date = '2026-11-01')],
    ['items.data.0.price', (object) => (object.items.data[0].price = 'price_1')],
    ['items.data.0', (object) => delete object.items.data[0].current_period_end],
  ])('is refused with its path: %s', (path, spoil) => {
    const object = subscription('sub_1', 'cus_1', [item('si_1', price('price_1', 'prod_1'))]);
    spoil(object);
    let refusal: Json;
    try {
      parseShape(SubscriptionShape, object, 'subscription');
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toMatchObject({ code: 'stripe_shape_unexpected' });
    const told = refusal.errors.map((error: Json) => `${error.path} ${error.message}`).join('\n');
    expect(told).toContain(path);
  });
});
