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
import { DAY, grant, HOUR, invoicePayment, item, line, purchase, subscription } from './build.ts';

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
    [
      'active, before its first debit has settled',
      subscription({ firstPayment: 'pending' }),
      inPeriod,
      'not: payment_pending',
    ],
    ['active, after its first debit was returned', subscription({ firstPayment: 'failed' }), inPeriod, 'not: unpaid'],
    [
      'past due without having paid once: no grace',
      subscription({ status: 'past_due', pastDueSince: 8 * DAY, firstPayment: 'pending' }),
      inPeriod,
      'not: payment_pending',
    ],
    [
      'canceled, asked about a moment at which its first payment had not come',
      subscription({ status: 'canceled', endedAt: 20 * DAY, firstPayment: 'failed' }),
      inPeriod,
      'not: canceled',
    ],
    ['incomplete', subscription({ status: 'incomplete' }), inPeriod, 'not: payment_pending'],
    ['incomplete_expired', subscription({ status: 'incomplete_expired', endedAt: DAY }), inPeriod, 'not: expired'],
    ['unpaid', subscription({ status: 'unpaid' }), inPeriod, 'not: unpaid'],
    [
      'unpaid, asked about a moment before it was owed',
      subscription({ status: 'unpaid', pastDueSince: periodEnd }),
      periodEnd - 1,
      'subscription_active',
    ],
    ['unpaid, from then on', subscription({ status: 'unpaid', pastDueSince: periodEnd }), periodEnd, 'not: unpaid'],
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

describe('a subscription that was canceled because nobody paid', () => {
  const given = subscription({ status: 'canceled', pastDueSince: periodEnd, endedAt: 52 * DAY });
  it.each([
    ['was there while it was paid for', periodEnd - 1, 'subscription_active'],
    ['was in grace', periodEnd, 'subscription_grace'],
    ['gave nothing after that, though it had not ended', periodEnd + 7 * DAY, 'not: canceled'],
    ['gives nothing now', 60 * DAY, 'not: canceled'],
  ] as const)('%s', (_name, now, expected) => {
    expect(at(now, [given])).toBe(expected);
  });

  it('ended with its grace where it ended before that was over', () => {
    expect(at(33 * DAY, [{ ...given, endedAt: 33 * DAY }])).toBe('not: canceled');
    expect(at(33 * DAY - 1, [{ ...given, endedAt: 33 * DAY }])).toBe('subscription_grace');
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

  it('stays lost while an appeal against the loss is open: only one that is won gives it back', () => {
    const disputed = (status: string) => bought({ dispute: { status, openedAt: DAY, closedAt: null } });
    expect(at(2 * DAY, disputed('appeal_needs_response'), { dispute: 'keep' })).toBe('not: disputed');
    expect(at(2 * DAY, disputed('appeal_under_review'), { dispute: 'keep' })).toBe('not: disputed');
    expect(at(2 * DAY, disputed('won'), { dispute: 'keep' })).toBe('purchase');
  });
});

describe('a trial', () => {
  const trialing = subscription({ status: 'trialing', trialStart: 0, trialEnd: 14 * DAY });
  const converted = subscription({ trialStart: 0, trialEnd: 14 * DAY });
  it.each([
    ['grants by default', trialing, 'grant', inPeriod, 'subscription_trialing'],
    ['gives nothing where the policy says so', trialing, 'deny', inPeriod, 'not: payment_pending'],
    ['gives no slack then either: nobody has paid', trialing, 'deny', 14 * DAY, 'not: payment_pending'],
    ['gives way to what was paid for', converted, 'deny', 14 * DAY, 'subscription_active'],
    ['stays without access when asked about afterwards', converted, 'deny', 14 * DAY - 1, 'not: not_started'],
    [
      'that was canceled never gave anything',
      subscription({ status: 'canceled', trialEnd: 14 * DAY, endedAt: 3 * DAY }),
      'deny',
      DAY,
      'not: canceled',
    ],
    [
      'that nobody paid for is followed by grace, as any unpaid period',
      subscription({ status: 'past_due', trialEnd: 14 * DAY, pastDueSince: 14 * DAY }),
      'deny',
      15 * DAY,
      'subscription_grace',
    ],
  ] as const)('%s', (_name, fact, trial, now, expected) => {
    expect(at(now, [fact], { trial })).toBe(expected);
  });
});

describe("the payment of a subscription's invoice", () => {
  const disputed = (status: string, openedAt = inPeriod) =>
    invoicePayment({ dispute: { status, openedAt, closedAt: null } });
  const refunded = (refundedMinor: number) => invoicePayment({ refundedMinor, refundedAt: inPeriod });
  const renewed = subscription({ items: [item({ currentPeriodStart: periodEnd, currentPeriodEnd: 60 * DAY })] });
  const owing = subscription({ ...renewed, status: 'past_due', pastDueSince: periodEnd });
  const revoke = { subscriptionRefund: 'revoke_period' } as const;

  it.each([
    ['disputed, before that', subscription(), disputed('needs_response'), {}, inPeriod - 1, 'subscription_active'],
    ['disputed', subscription(), disputed('needs_response'), {}, inPeriod, 'not: disputed'],
    [
      'disputed, to the end of the period',
      subscription(),
      disputed('under_review'),
      {},
      periodEnd - 1,
      'not: disputed',
    ],
    [
      'disputed, in what would be the slack',
      subscription(),
      disputed('needs_response'),
      {},
      periodEnd,
      'not: disputed',
    ],
    ['disputed, long after', subscription(), disputed('needs_response'), {}, 90 * DAY, 'not: disputed'],
    ['disputed, with the next period paid', renewed, disputed('needs_response'), {}, periodEnd, 'subscription_active'],
    ['disputed, in its own period all the same', renewed, disputed('lost'), {}, 20 * DAY, 'not: disputed'],
    ['disputed, in the slack after a paid period', renewed, disputed('lost'), {}, 60 * DAY, 'subscription_slack'],
    ['disputed when its period was over', renewed, disputed('lost', 40 * DAY), {}, 41 * DAY, 'subscription_active'],
    ['disputed, with the next period unpaid', owing, disputed('needs_response'), {}, 31 * DAY, 'not: disputed'],
    [
      'disputed, with the next period unpaid to the end',
      { ...owing, status: 'canceled', endedAt: 52 * DAY },
      disputed('lost'),
      {},
      31 * DAY,
      'not: disputed',
    ],
    ['disputed only in the grace that followed', owing, disputed('lost', 32 * DAY), {}, 31 * DAY, 'subscription_grace'],
    [
      'disputed in the grace that followed, from then on',
      owing,
      disputed('lost', 32 * DAY),
      {},
      32 * DAY,
      'not: disputed',
    ],
    [
      'disputed two periods before one is owed',
      subscription({
        ...owing,
        pastDueSince: 60 * DAY,
        items: [item({ currentPeriodStart: 60 * DAY, currentPeriodEnd: 90 * DAY })],
      }),
      disputed('lost'),
      {},
      61 * DAY,
      'subscription_grace',
    ],
    [
      'disputed, kept by policy',
      subscription(),
      disputed('needs_response'),
      { dispute: 'keep' },
      inPeriod,
      'subscription_active',
    ],
    ['disputed and won', subscription(), disputed('won'), {}, inPeriod, 'subscription_active'],
    [
      'disputed and lost, kept by policy',
      subscription(),
      disputed('lost'),
      { dispute: 'keep' },
      inPeriod,
      'not: disputed',
    ],
    ['warned of', subscription(), disputed('warning_needs_response'), {}, inPeriod, 'subscription_active'],
    [
      'disputed before a lasting end',
      subscription({ status: 'canceled', endedAt: 20 * DAY }),
      disputed('lost'),
      {},
      25 * DAY,
      'not: disputed',
    ],
    [
      'disputed after the end',
      subscription({ status: 'canceled', endedAt: DAY }),
      disputed('lost'),
      {},
      inPeriod,
      'not: canceled',
    ],
    ['refunded, by default', subscription(), refunded(1000), {}, inPeriod, 'subscription_active'],
    ['refunded, before that', subscription(), refunded(1000), revoke, inPeriod - 1, 'subscription_active'],
    ['refunded, where that revokes the period', subscription(), refunded(1000), revoke, inPeriod, 'not: refunded'],
    ['refunded, with the next period paid', renewed, refunded(1000), revoke, periodEnd, 'subscription_active'],
    ['refunded in part', subscription(), refunded(999), revoke, inPeriod, 'subscription_active'],
    [
      'refunded in part, where that revokes',
      subscription(),
      refunded(1),
      { ...revoke, partialRefund: 'revoke' },
      inPeriod,
      'not: refunded',
    ],
    [
      'refunded in part, where only purchases are',
      subscription(),
      refunded(1),
      { partialRefund: 'revoke' },
      inPeriod,
      'subscription_active',
    ],
    ['refunded, with a refund that failed', subscription(), refunded(0), revoke, inPeriod, 'subscription_active'],
  ] as const)('%s', (_name, sub, payment, policy, now, expected) => {
    expect(at(now, [payment, sub], policy)).toBe(expected);
    expect(at(now, [sub, payment], policy)).toBe(expected);
  });

  it('takes away nothing but what it paid for', () => {
    const lost = disputed('lost');
    const other = subscription({ id: 'sub_2' });
    expect(at(inPeriod, [lost, subscription(), other])).toBe('subscription_active');
    expect(at(inPeriod, [lost, subscription(), grant()])).toBe('grant');
    expect(at(inPeriod, [lost, subscription(), purchase()])).toBe('purchase');
  });

  it('is about its own items: an item beside them that another payment bought stays', () => {
    const sub = subscription({ items: [item(), item({ id: 'si_2', priceId: 'price_fixed' })] });
    expect(at(inPeriod, [sub, disputed('lost')])).toBe('subscription_active');
    const both = invoicePayment({
      lines: [line(), line({ subscriptionItemId: 'si_2' })],
      dispute: { status: 'lost', openedAt: DAY, closedAt: null },
    });
    expect(at(inPeriod, [sub, both])).toBe('not: disputed');
  });

  it('is about what replaced its item, of the same product', () => {
    const swapped = subscription({ items: [item({ id: 'si_new', priceId: 'price_fixed' })] });
    expect(at(inPeriod, [swapped, disputed('lost')])).toBe('not: disputed');
    const other = subscription({ items: [item({ id: 'si_new', productId: 'prod_other', priceId: 'price_week' })] });
    expect(at(inPeriod, [other, disputed('lost')])).toBe('subscription_active');
  });

  it('ends where a new period was paid for before the old one was over', () => {
    const yearly = subscription({ items: [item({ currentPeriodStart: 15 * DAY, currentPeriodEnd: 380 * DAY })] });
    expect(at(14 * DAY, [yearly, disputed('lost')])).toBe('not: disputed');
    expect(at(15 * DAY, [yearly, disputed('lost')])).toBe('subscription_active');
  });

  it('that is one of several of its invoice ends the period once all of them have been refunded', () => {
    const part = (id: string, refundedMinor: number, refundedAt: number) =>
      invoicePayment({ id, refundedMinor, refundedAt: refundedMinor === 0 ? null : refundedAt });
    const [first, second] = [part('pi_a', 300, inPeriod), part('pi_b', 700, inPeriod + DAY)];
    const elsewhere = invoicePayment({ ...second, invoiceIds: ['in_2'], lines: [] });
    expect(at(inPeriod + DAY, [subscription(), first], revoke)).toBe('subscription_active');
    expect(at(inPeriod + DAY, [subscription(), first, elsewhere], revoke)).toBe('subscription_active');
    expect(at(inPeriod + DAY, [subscription(), first, part('pi_b', 600, inPeriod)], revoke)).toBe(
      'subscription_active',
    );
    expect(at(inPeriod + DAY - 1, [subscription(), first, second], revoke)).toBe('subscription_active');
    expect(at(inPeriod + DAY, [subscription(), first, second], revoke)).toBe('not: refunded');
    expect(at(inPeriod + DAY, [subscription(), first, second])).toBe('subscription_active');
  });

  it('of an upgrade takes away the rest of the period', () => {
    const upgrade = invoicePayment({
      lines: [line({ periodStart: 15 * DAY })],
      dispute: { status: 'needs_response', openedAt: 20 * DAY, closedAt: null },
    });
    expect(at(20 * DAY - 1, [subscription(), upgrade])).toBe('subscription_active');
    expect(at(20 * DAY, [subscription(), upgrade])).toBe('not: disputed');
    expect(at(periodEnd, [subscription(), upgrade])).toBe('not: disputed');
  });

  it('is named, with what it took, where it took something; other snapshots do not grow', () => {
    const body = resolve([renewed, disputed('lost')], catalog, DEFAULT_ACCESS_POLICY);
    const barred = [{ from: inPeriod, to: periodEnd, reason: 'disputed', paymentId: 'pi_invoice' }];
    expect(body.features.pro_export?.sources).toMatchObject([{ endReason: 'expired', barred }]);
    const untouched = resolve([renewed, disputed('won')], catalog, DEFAULT_ACCESS_POLICY);
    expect(untouched.features.pro_export?.sources[0]).not.toHaveProperty('barred');
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

  it('stop at the largest exact integer, multiplied as well as summed', () => {
    const quantity = Number.MAX_SAFE_INTEGER - 1;
    expect(seats([subscription({ items: [item({ quantity })] })])).toBe(Number.MAX_SAFE_INTEGER);
    expect(seats([subscription(), grant({ feature: 'seats', value: quantity })])).toBe(Number.MAX_SAFE_INTEGER);
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
