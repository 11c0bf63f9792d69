import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Catalog, decide, evaluate, nextBoundaryAt, resolve, type SnapshotBody } from '../src/index.ts';
import {
  allowGrant,
  catalog,
  denyGrant,
  facts,
  instant,
  invoicePaymentsOf,
  policy,
  standing,
  subscriptionIdsIn,
} from './arbitraries.ts';
import { FEATURES } from './build.ts';

const moment = fc.tuple(instant, fc.integer({ min: -1, max: 1 })).map(([at, by]) => at + by);

describe('resolve', () => {
  it('does not depend on the order of facts', () => {
    fc.assert(
      fc.property(
        facts.chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }))),
        catalog,
        policy,
        ([list, shuffled], sold, rules) => {
          expect(JSON.stringify(resolve(shuffled, sold, rules))).toBe(JSON.stringify(resolve(list, sold, rules)));
        },
      ),
    );
  });

  it('gives the same result twice and leaves its input alone', () => {
    fc.assert(
      fc.property(facts, catalog, policy, (list, sold, rules) => {
        const before = JSON.stringify([list, sold]);
        expect(resolve(list, sold, rules)).toEqual(resolve(list, sold, rules));
        expect(JSON.stringify([list, sold])).toBe(before);
      }),
    );
  });

  it('never takes anything away when an allow grant is added', () => {
    fc.assert(
      fc.property(facts, catalog, policy, allowGrant, moment, (list, sold, rules, added, now) => {
        const before = resolve(list, sold, rules);
        const after = resolve([...list, added], sold, rules);
        for (const feature of FEATURES) {
          const was = decide(before, true, feature, now);
          const is = decide(after, true, feature, now);
          if (!was.entitled) continue;
          expect(is.entitled).toBe(true);
          if (!is.unlimited) expect(is.value ?? 0).toBeGreaterThanOrEqual(was.value ?? 0);
          if (was.unlimited) expect(is.unlimited).toBe(true);
        }
      }),
    );
  });

  it('lets a deny grant beat every source while it holds', () => {
    fc.assert(
      fc.property(facts, catalog, policy, denyGrant, moment, (list, sold, rules, added, now) => {
        const end = Math.min(added.validTo ?? Number.POSITIVE_INFINITY, added.revokedAt ?? Number.POSITIVE_INFINITY);
        fc.pre(added.validFrom <= now && now < end);
        const decision = decide(resolve([...list, added], sold, rules), true, added.feature, now);
        expect(decision).toMatchObject({ entitled: false, reason: 'denied' });
      }),
    );
  });
});

/** Facts, with payments of the subscriptions' invoices that were refunded or disputed. */
const withMoneyBack = standing.chain((list) => fc.tuple(fc.constant(list), invoicePaymentsOf(subscriptionIdsIn(list))));

describe('the refund or dispute of an invoice', () => {
  it('never gives access, and never a larger amount', () => {
    fc.assert(
      fc.property(withMoneyBack, catalog, policy, moment, ([list, payments], sold, rules, now) => {
        const before = resolve(list, sold, rules);
        const after = resolve([...list, ...payments], sold, rules);
        for (const feature of FEATURES) {
          const was = decide(before, true, feature, now);
          const is = decide(after, true, feature, now);
          if (!is.entitled) continue;
          expect(was.entitled).toBe(true);
          if (is.unlimited) expect(was.unlimited).toBe(true);
          else if (!was.unlimited) expect(is.value ?? 0).toBeLessThanOrEqual(was.value ?? 0);
        }
      }),
    );
  });

  it('takes nothing from grants, purchases and other subscriptions', () => {
    fc.assert(
      fc.property(withMoneyBack, catalog, policy, ([list, payments], sold, rules) => {
        const concerned = new Set(payments.flatMap(({ lines }) => lines.map((line) => line.subscriptionId)));
        const others = (body: SnapshotBody) =>
          Object.values(body.features).map(({ sources }) => sources.filter(({ id }) => !concerned.has(id)));
        expect(others(resolve([...list, ...payments], sold, rules))).toEqual(others(resolve(list, sold, rules)));
      }),
    );
  });

  it('is as if it had never been, once the dispute is won and the refund has failed', () => {
    fc.assert(
      fc.property(withMoneyBack, catalog, policy, ([list, payments], sold, rules) => {
        const restored = payments.map((fact) => ({
          ...fact,
          refundedMinor: 0,
          refundedAt: null,
          dispute: fact.dispute && { ...fact.dispute, status: 'won' },
        }));
        expect(JSON.stringify(resolve([...list, ...restored], sold, rules))).toBe(
          JSON.stringify(resolve(list, sold, rules)),
        );
      }),
    );
  });

  it('takes a lost payment’s access whatever the policy, and an open one’s where the policy says so', () => {
    fc.assert(
      fc.property(withMoneyBack, catalog, policy, ([facts, payments], sold, rules) => {
        // Purchases have disputes of their own.
        const list = facts.filter(({ kind }) => kind !== 'purchase');
        const put = (status: string) =>
          payments.map((fact) => ({ ...fact, dispute: fact.dispute && { ...fact.dispute, status } }));
        const lost = resolve([...list, ...put('lost')], sold, rules);
        const open = resolve([...list, ...put('needs_response')], sold, { ...rules, dispute: 'suspend' });
        expect(lost).toEqual(open);
        const kept = resolve([...list, ...put('needs_response')], sold, { ...rules, dispute: 'keep' });
        expect(kept).toEqual(resolve([...list, ...put('won')], sold, rules));
      }),
    );
  });

  it('says in each source exactly what it took out of the windows', () => {
    fc.assert(
      fc.property(withMoneyBack, catalog, policy, moment, ([list, payments], sold, rules, now) => {
        const before = resolve(list, sold, rules);
        const after = resolve([...list, ...payments], sold, rules);
        for (const [code, { sources }] of Object.entries(before.features)) {
          const holds = (source: (typeof sources)[number] | undefined) =>
            source?.windows.some(({ from, to }) => from <= now && (to === null || now < to)) === true;
          sources.forEach((source, index) => {
            const left = after.features[code]?.sources[index];
            const barred = left?.barred?.some(({ from, to }) => from <= now && (to === null || now < to)) === true;
            expect(holds(left) || barred).toBe(holds(source));
            expect(holds(left) && barred).toBe(false);
          });
        }
      }),
    );
  });
});

describe('evaluate', () => {
  it('agrees at any moment with a naive model that looks at every window', () => {
    fc.assert(
      fc.property(facts, catalog, policy, moment, (list, sold, rules, now) => {
        const body = resolve(list, sold, rules);
        const { features } = evaluate(body, now);
        for (const code of Object.keys(body.features)) {
          const { entitled, value, unlimited } = features[code] ?? {};
          expect({ entitled, value, unlimited }).toEqual(naive(body, sold, code, now));
        }
      }),
    );
  });

  it('puts the span so that access is unbroken inside it and absent at its two edges', () => {
    fc.assert(
      fc.property(facts, catalog, policy, moment, (list, sold, rules, now) => {
        const body = resolve(list, sold, rules);
        for (const state of Object.values(evaluate(body, now).features)) {
          if (!state.entitled || state.validFrom === null) continue;
          const at = (t: number) => naive(body, sold, state.feature, t).entitled;
          expect(at(state.validFrom)).toBe(true);
          expect(at(state.validFrom - 1)).toBe(false);
          if (state.validTo !== null) {
            expect(at(state.validTo - 1)).toBe(true);
            expect(at(state.validTo)).toBe(false);
          }
          for (const edge of edges(body)) {
            if (edge >= state.validFrom && edge < (state.validTo ?? Number.POSITIVE_INFINITY))
              expect(at(edge)).toBe(true);
          }
        }
      }),
    );
  });

  it('names the next moment of change: nothing changes before it, something changes at it', () => {
    fc.assert(
      fc.property(facts, catalog, policy, moment, (list, sold, rules, now) => {
        const body = resolve(list, sold, rules);
        const { nextChangeAt } = evaluate(body, now);
        for (const edge of edges(body)) {
          if (edge <= now || (nextChangeAt !== null && edge >= nextChangeAt)) continue;
          expect(visible(body, edge)).toEqual(visible(body, now));
        }
        if (nextChangeAt !== null) {
          expect(nextChangeAt).toBeGreaterThan(now);
          expect(visible(body, nextChangeAt)).not.toEqual(visible(body, nextChangeAt - 1));
        }
      }),
    );
  });

  it('keeps every decision, reason included, until the next boundary', () => {
    fc.assert(
      fc.property(
        facts,
        catalog,
        policy,
        moment,
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (list, sold, rules, now, share) => {
          const body = resolve(list, sold, rules);
          const until = nextBoundaryAt(body, now) ?? now + 1e12;
          const later = now + Math.floor((until - now) * share);
          for (const code of FEATURES) expect(decide(body, true, code, later)).toEqual(decide(body, true, code, now));
        },
      ),
    );
  });
});

/** Which features are entitled, with all that a caller sees of them. */
function visible(body: SnapshotBody, now: number) {
  return Object.values(evaluate(body, now).features).filter((state) => state.entitled);
}

function edges(body: SnapshotBody): number[] {
  return Object.values(body.features).flatMap(({ sources }) =>
    sources.flatMap(({ windows }) => windows.flatMap(({ from, to }) => (to === null ? [from] : [from, to]))),
  );
}

/** The answer by brute force, without spans, winners or reasons. */
function naive(body: SnapshotBody, sold: Catalog, code: string, now: number) {
  const holding = (body.features[code]?.sources ?? []).filter(({ windows }) =>
    windows.some(({ from, to }) => from <= now && (to === null || now < to)),
  );
  const entitled = holding.length > 0 && holding.every(({ effect }) => effect === 'allow');
  const unlimited = entitled && holding.some((source) => source.unlimited);
  const amounts = holding.filter((source) => !source.unlimited).flatMap(({ value }) => (value === null ? [] : [value]));
  const feature = sold.features[code];
  const counts = entitled && !unlimited && feature?.type === 'limit' && amounts.length > 0;
  const total = feature?.aggregation === 'sum' ? amounts.reduce((a, b) => a + b, 0) : Math.max(...amounts);
  return { entitled, value: counts ? total : null, unlimited };
}
