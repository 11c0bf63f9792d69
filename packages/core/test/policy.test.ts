import { describe, expect, it } from 'vitest';
import {
  type AccessPolicy,
  type Catalog,
  DEFAULT_ACCESS_POLICY,
  decide,
  evaluate,
  type Fact,
  resolve,
} from '../src/index.ts';
import { DAY, grant, HOUR, item, purchase, subscription } from './build.ts';

const catalog: Catalog = {
  features: {
    pro_export: { code: 'pro_export', type: 'boolean', aggregation: 'max' },
    seats: { code: 'seats', type: 'limit', aggregation: 'sum' },
  },
  products: {
    prod_plan: [
      { code: 'pro_export', value: null, unlimited: false, perUnit: false, accessDays: null },
      { code: 'seats', value: 2, unlimited: false, perUnit: true, accessDays: null },
    ],
  },
  prices: {
    price_fixed: [{ code: 'seats', value: 10, unlimited: false, perUnit: false, accessDays: null }],
    price_week: [{ code: 'pro_export', value: null, unlimited: false, perUnit: false, accessDays: 7 }],
  },
};

function at(now: number, facts: Fact[], policy: Partial<AccessPolicy> = {}, feature = 'pro_export') {
  const body = resolve(facts, catalog, { ...DEFAULT_ACCESS_POLICY, ...policy });
  const { entitled, reason } = decide(body, true, feature, now);
  return entitled ? reason : `not: ${reason}`;
}

const inPeriod = 10 * DAY;
const periodEnd = 30 * DAY;

describe('a subscription', () => {
  it.each([
    ['active, in its period', subscription(), inPeriod, 'subscription_active'],
    ['active, at the period end, in the slack', subscription(), periodEnd, 'subscription_slack'],
    ['active, when the slack is over', subscription(), periodEnd + 72 * HOUR, 'not: expired'],
    ['active, before it began', subscription({ startedAt: 5 * DAY }), DAY, 'not: not_started'],
    [
      'canceling at the period end, just before',
      subscription({ cancelAtPeriodEnd: true }),
      periodEnd - 1,
      'subscription_active',
    ],
    [
      'canceling at the period end, on the second',
      subscription({ cancelAtPeriodEnd: true }),
      periodEnd,
      'not: canceled',
    ],
    ['with cancel_at alone, on the second', subscription({ cancelAt: inPeriod }), inPeriod, 'not: canceled'],
    [
      'with cancel_at within the slack',
      subscription({ cancelAt: periodEnd + HOUR }),
      periodEnd + HOUR,
      'not: canceled',
    ],
    ['trialing', subscription({ status: 'trialing', trialEnd: 14 * DAY }), inPeriod, 'subscription_trialing'],
    [
      'trialing, after a trial that converts',
      subscription({ status: 'trialing', trialEnd: 14 * DAY }),
      14 * DAY,
      'subscription_slack',
    ],
    [
      'trialing, after a trial that converts and ends for good much later',
      subscription({ status: 'trialing', trialEnd: 14 * DAY, cancelAt: 300 * DAY }),
      14 * DAY,
      'subscription_slack',
    ],
    [
      'trialing, with cancel_at within the slack after the trial',
      subscription({ status: 'trialing', trialEnd: 14 * DAY, cancelAt: 14 * DAY + HOUR }),
      14 * DAY + HOUR,
      'not: canceled',
    ],
    [
      'trialing, after a trial that cancels for want of a card',
      subscription({ status: 'trialing', trialEnd: 14 * DAY, trialEndBehavior: 'cancel', missingPaymentMethod: true }),
      14 * DAY,
      'not: expired',
    ],
    [
      'canceled in its trial, ended before the trial would',
      subscription({ status: 'canceled', trialEnd: 14 * DAY, endedAt: 3 * DAY }),
      inPeriod,
      'not: canceled',
    ],
    [
      'canceling in its trial: the earlier end wins',
      subscription({ status: 'trialing', trialEnd: 14 * DAY, cancelAt: 3 * DAY }),
      3 * DAY,
      'not: canceled',
    ],
    ['past due, in grace', subscription({ status: 'past_due', pastDueSince: 8 * DAY }), inPeriod, 'subscription_grace'],
    [
      'past due, when grace is over',
      subscription({ status: 'past_due', pastDueSince: DAY }),
      8 * DAY,
      'not: payment_past_due',
    ],
    ['incomplete', subscription({ status: 'incomplete' }), inPeriod, 'not: payment_pending'],
    ['incomplete_expired', subscription({ status: 'incomplete_expired', endedAt: DAY }), inPeriod, 'not: expired'],
    ['unpaid', subscription({ status: 'unpaid' }), inPeriod, 'not: unpaid'],
    ['paused', subscription({ status: 'paused' }), inPeriod, 'not: paused'],
    ['of a status nobody knows', subscription({ status: 'suspended_by_moonlight' }), inPeriod, 'not: no_source'],
    ['with paused collection, by default', subscription({ collectionPaused: true }), inPeriod, 'subscription_active'],
  ])('%s', (_name, fact, now, expected) => {
    expect(at(now, [fact])).toBe(expected);
  });

  it('with paused collection is denied where the policy says so', () => {
    expect(at(inPeriod, [subscription({ collectionPaused: true })], { pauseCollection: 'deny' })).toBe('not: paused');
  });

  it('gives nothing by an item of which no unit is paid for', () => {
    expect(at(inPeriod, [subscription({ items: [item({ quantity: 0 })] })])).toBe('not: no_source');
    expect(at(inPeriod, [subscription({ items: [item({ quantity: null })] })])).toBe('subscription_active');
  });

  it('is granted by its longest item: periods are per item', () => {
    const items = [item({ currentPeriodEnd: DAY }), item({ id: 'si_2', currentPeriodEnd: 30 * DAY })];
    expect(at(20 * DAY, [subscription({ items })])).toBe('subscription_active');
  });
});

describe('a purchase', () => {
  const bought = (parts: Parameters<typeof purchase>[0]) => [purchase(parts)];
  it.each([
    ['paid, for ever', {}, 1000 * DAY, 'purchase'],
    ['pending', { status: 'pending', paidAt: null }, DAY, 'not: payment_pending'],
    ['failed', { status: 'failed', paidAt: null }, DAY, 'not: unpaid'],
    ['refunded in full', { refundedMinor: 1000, refundedAt: 5 * DAY }, 5 * DAY, 'not: refunded'],
    ['refunded in full, before that', { refundedMinor: 1000, refundedAt: 5 * DAY }, 5 * DAY - 1, 'purchase'],
    ['refunded in part', { refundedMinor: 400, refundedAt: 5 * DAY }, 6 * DAY, 'purchase'],
    [
      'disputed',
      { dispute: { status: 'needs_response', openedAt: 2 * DAY, closedAt: null } },
      3 * DAY,
      'not: disputed',
    ],
    ['disputed and won', { dispute: { status: 'won', openedAt: 2 * DAY, closedAt: 4 * DAY } }, 3 * DAY, 'purchase'],
    [
      'warned of a dispute',
      { dispute: { status: 'warning_under_review', openedAt: 2 * DAY, closedAt: null } },
      3 * DAY,
      'purchase',
    ],
    [
      'bounded by days, at their end',
      { lines: [{ priceId: 'price_week', productId: 'prod_x', quantity: 1 }] },
      7 * DAY,
      'not: expired',
    ],
  ] as const)('%s', (_name, parts, now, expected) => {
    expect(at(now, bought(parts))).toBe(expected);
  });

  it('refunded in part is lost where the policy says so', () => {
    const facts = bought({ refundedMinor: 1, refundedAt: DAY });
    expect(at(2 * DAY, facts, { partialRefund: 'revoke' })).toBe('not: refunded');
  });

  it('under an open dispute is kept where the policy says so, and lost with the dispute all the same', () => {
    const disputed = (status: string) => bought({ dispute: { status, openedAt: DAY, closedAt: null } });
    expect(at(2 * DAY, disputed('under_review'), { dispute: 'keep' })).toBe('purchase');
    expect(at(2 * DAY, disputed('lost'), { dispute: 'keep' })).toBe('not: disputed');
  });
});

describe('a grant', () => {
  it('holds from its start to its end, and a revocation ends it earlier', () => {
    const fact = grant({ validFrom: DAY, validTo: 3 * DAY });
    expect([0, DAY, 3 * DAY - 1, 3 * DAY].map((now) => at(now, [fact]))).toEqual([
      'not: not_started',
      'grant',
      'grant',
      'not: expired',
    ]);
    expect(at(2 * DAY, [{ ...fact, revokedAt: 2 * DAY }])).toBe('not: revoked');
  });

  it('survives the refund of a purchase of the same feature', () => {
    expect(at(9 * DAY, [purchase({ refundedMinor: 1000, refundedAt: DAY }), grant()])).toBe('grant');
  });
});

describe('amounts', () => {
  const seats = (facts: Fact[]) => {
    const body = resolve(facts, catalog, DEFAULT_ACCESS_POLICY);
    return evaluate(body, inPeriod).features.seats?.value;
  };

  it('are multiplied per unit, and a price replaces its product for the same code', () => {
    expect(seats([subscription({ items: [item({ quantity: 4 })] })])).toBe(8);
    expect(seats([subscription({ items: [item({ priceId: 'price_fixed', quantity: 4 })] })])).toBe(10);
  });

  it('are summed over sources where the feature says so', () => {
    expect(seats([subscription(), grant({ feature: 'seats', value: 5 })])).toBe(7);
  });

  it('give way to an unlimited source', () => {
    const body = resolve(
      [subscription(), grant({ feature: 'seats', unlimited: true })],
      catalog,
      DEFAULT_ACCESS_POLICY,
    );
    expect(decide(body, true, 'seats', inPeriod)).toMatchObject({ value: null, unlimited: true });
  });
});

describe('reasons', () => {
  it('name an unknown feature, and the lack of any source', () => {
    const body = resolve([], catalog, DEFAULT_ACCESS_POLICY);
    expect(decide(body, false, 'nope', 0).reason).toBe('unknown_feature');
    expect(decide(body, true, 'pro_export', 0).reason).toBe('no_source');
    expect(decide(body, true, 'toString', 0).reason).toBe('no_source');
  });

  it('of several sources name the one that lasts longest, or the one that ended last', () => {
    const short = grant({ validTo: 12 * DAY });
    expect(at(inPeriod, [short, subscription()])).toBe('subscription_active');
    expect(at(60 * DAY, [grant({ validTo: DAY }), subscription({ cancelAtPeriodEnd: true })])).toBe('not: canceled');
  });
});
