import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Catalog,
  DEFAULT_ACCESS_POLICY,
  decide,
  evaluate,
  nextBoundaryAt,
  resolve,
  type SnapshotBody,
} from '../src/index.ts';
import { allowGrant, catalog, denyGrant, facts, instant } from './arbitraries.ts';
import { FEATURES } from './build.ts';

const policy = DEFAULT_ACCESS_POLICY;
const moment = fc.tuple(instant, fc.integer({ min: -1, max: 1 })).map(([at, by]) => at + by);

describe('resolve', () => {
  it('does not depend on the order of facts', () => {
    fc.assert(
      fc.property(
        facts.chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }))),
        catalog,
        ([list, shuffled], sold) => {
          expect(JSON.stringify(resolve(shuffled, sold, policy))).toBe(JSON.stringify(resolve(list, sold, policy)));
        },
      ),
    );
  });

  it('gives the same result twice and leaves its input alone', () => {
    fc.assert(
      fc.property(facts, catalog, (list, sold) => {
        const before = JSON.stringify([list, sold]);
        expect(resolve(list, sold, policy)).toEqual(resolve(list, sold, policy));
        expect(JSON.stringify([list, sold])).toBe(before);
      }),
    );
  });

  it('never takes anything away when an allow grant is added', () => {
    fc.assert(
      fc.property(facts, catalog, allowGrant, moment, (list, sold, added, now) => {
        const before = resolve(list, sold, policy);
        const after = resolve([...list, added], sold, policy);
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
      fc.property(facts, catalog, denyGrant, moment, (list, sold, added, now) => {
        const end = Math.min(added.validTo ?? Number.POSITIVE_INFINITY, added.revokedAt ?? Number.POSITIVE_INFINITY);
        fc.pre(added.validFrom <= now && now < end);
        const decision = decide(resolve([...list, added], sold, policy), true, added.feature, now);
        expect(decision).toMatchObject({ entitled: false, reason: 'denied' });
      }),
    );
  });
});

describe('evaluate', () => {
  it('agrees at any moment with a naive model that looks at every window', () => {
    fc.assert(
      fc.property(facts, catalog, moment, (list, sold, now) => {
        const body = resolve(list, sold, policy);
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
      fc.property(facts, catalog, moment, (list, sold, now) => {
        const body = resolve(list, sold, policy);
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
      fc.property(facts, catalog, moment, (list, sold, now) => {
        const body = resolve(list, sold, policy);
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
      fc.property(facts, catalog, moment, fc.double({ min: 0, max: 0.999, noNaN: true }), (list, sold, now, share) => {
        const body = resolve(list, sold, policy);
        const until = nextBoundaryAt(body, now) ?? now + 1e12;
        const later = now + Math.floor((until - now) * share);
        for (const code of FEATURES) expect(decide(body, true, code, later)).toEqual(decide(body, true, code, now));
      }),
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
