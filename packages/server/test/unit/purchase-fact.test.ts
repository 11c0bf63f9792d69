import { describe, expect, it } from 'vitest';
import type { FetchedPurchase } from '../../src/mirror/fetch-purchase.ts';
import { isPurchase, purchaseFact, purchaseId } from '../../src/mirror/purchase-fact.ts';
import { DAY, dispute, lineItem, paymentIntent, price, refund, START, session } from '../support/mirror-objects.ts';
import type { Json } from '../support/mirror-stripe.ts';

function fetched(rest: Partial<FetchedPurchase> = {}): FetchedPurchase {
  return {
    session: session('cs_1'),
    lines: [lineItem('li_1', price('price_1', 'prod_1'), { quantity: 2 })],
    intent: paymentIntent('pi_1'),
    charge: { id: 'ch_1', created: START + 60 },
    refunds: [],
    disputes: [],
    ...rest,
  };
}

const fact = (rest: Partial<FetchedPurchase> = {}) => purchaseFact(fetched(rest));
const ms = (seconds: number) => seconds * 1000;
const free: Partial<FetchedPurchase> = {
  intent: null,
  charge: null,
  session: session('cs_1', { payment_status: 'no_payment_required', amount_total: 0 }),
};

describe('a purchase as a fact', () => {
  it('has its payment intent for a key, and its session where nothing had to be paid', () => {
    expect(purchaseId(fetched())).toBe('pi_1');
    expect(purchaseId(fetched(free))).toBe('cs_1');
    expect(fact(free)).toMatchObject({ id: 'cs_1', checkoutSessionId: 'cs_1', status: 'paid', amountMinor: 0 });
  });

  it('has its lines with their quantities; a line without a price unlocks nothing', () => {
    const lines = [lineItem('li_1', price('price_1', 'prod_1'), { quantity: 2 }), lineItem('li_2', null)];
    expect(fact({ lines }).lines).toEqual([{ priceId: 'price_1', productId: 'prod_1', quantity: 2 }]);
  });

  it.each<[string, string, string | null]>([
    ['succeeded', 'paid', 'paid'],
    ['processing', 'pending', null],
    ['requires_action', 'pending', null],
    ['requires_capture', 'pending', null],
    ['requires_payment_method', 'failed', null],
    ['canceled', 'failed', null],
    ['invented_tomorrow', 'pending', null],
  ])('whose payment is %s is %s', (status, expected, paid) => {
    const made = fact({ intent: paymentIntent('pi_1', { status }) });
    expect(made.status).toBe(expected);
    expect(made.paidAt).toBe(paid === null ? null : ms(START + 60));
  });

  it('is worth what was received, and what is asked for until then', () => {
    expect(fact({ intent: paymentIntent('pi_1', { amount_received: 4000 }) }).amountMinor).toBe(4000);
    const open = paymentIntent('pi_1', { status: 'processing', amount_received: 0 });
    expect(fact({ intent: open }).amountMinor).toBe(5000);
  });

  it.each<[boolean, string, Json, Json]>([
    [true, 'a completed page', {}, { status: 'processing' }],
    [true, 'a payment that went through on a page not yet told', { status: 'open' }, { status: 'succeeded' }],
    [true, 'a payment under way on a page not yet told', { status: 'open' }, { status: 'processing' }],
    [false, 'an open page with a card that was declined', { status: 'open' }, { status: 'requires_payment_method' }],
    [false, 'a page that was left', { status: 'expired' }, { status: 'canceled' }],
  ])('is there (%s) after %s', (expected, _what, sessionFields, intentFields) => {
    const purchase = { session: session('cs_1', sessionFields), intent: paymentIntent('pi_1', intentFields) };
    expect(isPurchase(purchase)).toBe(expected);
  });
});

describe('refunds of a purchase', () => {
  const part = (id: string, amount: number, day: number, status: string | null = 'succeeded') =>
    refund(id, 'pi_1', { amount, created: START + day * DAY, status });

  it.each<[string, Json[], number, number | null]>([
    ['none', [], 0, null],
    ['a full one', [part('re_1', 5000, 1)], 5000, 1],
    ['one that is pending counts', [part('re_1', 5000, 1, 'pending')], 5000, 1],
    ['one that failed gives it back', [part('re_1', 5000, 1, 'failed')], 0, null],
    ['one that was canceled gives it back', [part('re_1', 5000, 1, 'canceled')], 0, null],
    ['parts that make the whole: when it was whole', [part('re_2', 3000, 4), part('re_1', 2000, 2)], 5000, 4],
    ['a part: when it was', [part('re_1', 2000, 2)], 2000, 2],
    ['parts: the first', [part('re_2', 1000, 4), part('re_1', 2000, 2)], 3000, 2],
    ['a part and one that failed', [part('re_1', 5000, 1, 'failed'), part('re_2', 2000, 2)], 2000, 2],
  ])('%s', (_what, refunds, refundedMinor, day) => {
    const refundedAt = day === null ? null : ms(START + day * DAY);
    expect(fact({ refunds })).toMatchObject({ refundedMinor, refundedAt });
  });
});

describe('disputes of a purchase', () => {
  const at = (id: string, status: string, day: number, fields: Json = {}) =>
    dispute(id, 'pi_1', { status, created: START + day * DAY, ...fields });

  it.each<[string, Json[], string | null, number | null]>([
    ['none', [], null, null],
    ['an open one', [at('dp_1', 'needs_response', 2)], 'needs_response', 2],
    ['one lost outweighs one open', [at('dp_1', 'under_review', 2), at('dp_2', 'lost', 3)], 'lost', 3],
    ['one open outweighs one won', [at('dp_1', 'won', 1), at('dp_2', 'needs_response', 2)], 'needs_response', 2],
    [
      'an appeal is open',
      [at('dp_1', 'appeal_under_review', 2), at('dp_2', 'warning_needs_response', 1)],
      'appeal_under_review',
      2,
    ],
    [
      'a warning outweighs one that is over',
      [at('dp_1', 'won', 1), at('dp_2', 'warning_under_review', 2)],
      'warning_under_review',
      2,
    ],
    ['a status invented tomorrow is open', [at('dp_1', 'won', 1), at('dp_2', 'invented', 2)], 'invented', 2],
  ])('%s', (_what, disputes, status, day) => {
    const found = fact({ disputes }).dispute;
    if (status === null || day === null) expect(found).toBeNull();
    else expect(found).toEqual({ status, openedAt: ms(START + day * DAY), closedAt: null });
  });

  it('that are won show when the money came back', () => {
    const moved = [{ created: START + 2 * DAY }, { created: START + 9 * DAY }];
    const won = at('dp_1', 'won', 2, { balance_transactions: moved });
    expect(fact({ disputes: [won] }).dispute).toMatchObject({ closedAt: ms(START + 9 * DAY) });
  });
});
