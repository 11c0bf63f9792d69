import { describe, expect, it } from 'vitest';
import { type Catalog, DEFAULT_ACCESS_POLICY, diffSnapshots, explain, type Fact, resolve } from '../src/index.ts';
import { DAY, grant, invoicePayment, item, purchase, subscription } from './build.ts';

const catalog: Catalog = {
  features: { pro_export: { code: 'pro_export', type: 'boolean', aggregation: 'max' } },
  products: { prod_plan: [{ code: 'pro_export', value: null, unlimited: false, perUnit: false, accessDays: null }] },
  prices: {},
};
const resolved = (...facts: Fact[]) => resolve(facts, catalog, DEFAULT_ACCESS_POLICY);
const verdicts = (body: ReturnType<typeof resolved>, now: number) =>
  Object.fromEntries(explain(body, true, 'pro_export', now).sources.map(({ id, verdict }) => [id, verdict]));

describe('explain', () => {
  it('names the winner, who contributes, who came too late and who ended', () => {
    const body = resolved(
      subscription(),
      grant({ id: 'grant_forever' }),
      grant({ id: 'grant_later', validFrom: 20 * DAY }),
      grant({ id: 'grant_past', validTo: DAY }),
      purchase({ status: 'pending', paidAt: null }),
    );
    expect(verdicts(body, 10 * DAY)).toEqual({
      grant_forever: 'won',
      sub_1: 'contributes',
      grant_later: 'not_yet',
      grant_past: 'ended',
      pi_1: 'never',
    });
    const { summary, nextChangeAt } = explain(body, true, 'pro_export', 10 * DAY);
    expect(summary).toContain('Entitled without end');
    expect(summary).toContain('grant_forever lasts longest');
    expect(nextChangeAt).toBe(20 * DAY);
  });

  it('shows what a deny grant overrules', () => {
    const body = resolved(subscription(), grant({ id: 'grant_no', effect: 'deny' }));
    expect(verdicts(body, DAY)).toEqual({ grant_no: 'won', sub_1: 'overruled' });
    const { summary, sources } = explain(body, true, 'pro_export', DAY);
    expect(summary).toBe('Not entitled: deny grant grant_no beats every other source.');
    expect(sources.map(({ note }) => note)).toEqual([
      'The deny grant grant_no forbids the feature without end.',
      'The subscription sub_1 would give the feature, but a deny grant forbids it.',
    ]);
  });

  it('speaks of a customer without sources, and of a feature that does not exist', () => {
    expect(explain(resolved(), true, 'pro_export', 0).summary).toContain('no subscription, purchase or grant');
    expect(explain(resolved(), false, 'nope', 0)).toMatchObject({
      decision: { reason: 'unknown_feature' },
      sources: [],
    });
  });

  it('says when a source ended and why', () => {
    const { sources, summary } = explain(resolved(grant({ validTo: DAY })), true, 'pro_export', 2 * DAY);
    expect(sources[0]?.note).toBe('The grant grant_1 ended at 1970-01-02T00:00:00.000Z (expired).');
    expect(summary).toBe('Not entitled: expired; no source gives the feature at this moment.');
  });

  it('names the payment that was disputed, while it bars and once it has ended the access', () => {
    const dispute = { status: 'needs_response', openedAt: 10 * DAY, closedAt: null };
    const items = [item({ currentPeriodStart: 30 * DAY, currentPeriodEnd: 60 * DAY })];
    const renewed = resolved(subscription({ items }), invoicePayment({ dispute }));
    expect(explain(renewed, true, 'pro_export', 20 * DAY)).toMatchObject({
      decision: { entitled: false, reason: 'disputed' },
      sources: [
        {
          verdict: 'barred',
          reason: 'disputed',
          note: 'The subscription sub_1 gives nothing from 1970-01-11T00:00:00.000Z to 1970-01-31T00:00:00.000Z: payment pi_invoice (disputed).',
        },
      ],
      nextChangeAt: 30 * DAY,
    });
    expect(verdicts(renewed, 40 * DAY)).toEqual({ sub_1: 'won' });
    const last = resolved(subscription(), invoicePayment({ dispute }));
    const { sources, decision } = explain(last, true, 'pro_export', 90 * DAY);
    expect(decision.reason).toBe('disputed');
    expect(sources[0]?.note).toBe(
      'The subscription sub_1 ended at 1970-01-11T00:00:00.000Z (disputed, payment pi_invoice).',
    );
  });
});

describe('diffSnapshots', () => {
  it('lists what was gained, lost and changed', () => {
    const [none, some, bounded] = [resolved(), resolved(grant()), resolved(grant({ validTo: DAY }))];
    expect(diffSnapshots(none, some, 0)).toMatchObject([{ feature: 'pro_export', change: 'gained' }]);
    expect(diffSnapshots(some, none, 0)).toMatchObject([{ feature: 'pro_export', change: 'lost' }]);
    expect(diffSnapshots(some, bounded, 0)).toMatchObject([{ change: 'changed', after: { validTo: DAY } }]);
    expect(diffSnapshots(some, some, 0)).toEqual([]);
  });
});
