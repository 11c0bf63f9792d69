import type { FeatureTrace, SnapshotBody, SourceTrace } from '@tollgate/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  DENIED_REASONS,
  ENTITLED_REASONS,
  packSnapshot,
  unpackSnapshot,
} from '../../src/entitlements/packed-snapshot.ts';

const instant = fc.integer({ min: 0, max: 4_102_444_800_000 });
const barred = fc.array(
  fc.record({
    from: instant,
    to: fc.option(instant),
    reason: fc.constantFrom('refunded', 'disputed'),
    paymentId: fc.string(),
  }),
  { minLength: 1, maxLength: 2 },
);
const whole: fc.Arbitrary<SourceTrace> = fc.record({
  type: fc.constantFrom('subscription', 'purchase', 'grant'),
  id: fc.string(),
  via: fc.option(fc.string()),
  effect: fc.constantFrom('allow', 'deny'),
  value: fc.option(fc.nat(Number.MAX_SAFE_INTEGER)),
  unlimited: fc.boolean(),
  windows: fc.array(
    fc.record({ from: instant, to: fc.option(instant), reason: fc.constantFrom(...ENTITLED_REASONS) }),
    { maxLength: 4 },
  ),
  endReason: fc.constantFrom(...DENIED_REASONS),
  endedAt: fc.option(instant),
  periodEnd: fc.option(instant),
  willRenew: fc.boolean(),
});
/** Most have nothing barred, and say nothing of it. */
const source: fc.Arbitrary<SourceTrace> = fc.oneof(
  whole,
  fc.tuple(whole, barred).map(([rest, spans]) => ({ ...rest, barred: spans })),
);
const trace: fc.Arbitrary<FeatureTrace> = fc.record({
  feature: fc.stringMatching(/^[a-z][a-z0-9_]{0,20}$/),
  type: fc.constantFrom('boolean', 'limit', 'metered'),
  aggregation: fc.constantFrom('max', 'sum'),
  sources: fc.array(source, { maxLength: 4 }),
});
const body: fc.Arbitrary<SnapshotBody> = fc
  .uniqueArray(trace, { selector: ({ feature }) => feature, maxLength: 6 })
  .map((traces) => ({ features: Object.fromEntries(traces.map((one) => [one.feature, one])) }));

describe('a packed snapshot', () => {
  test('says exactly what the snapshot says', () => {
    fc.assert(
      fc.property(body, (snapshot) => {
        expect(unpackSnapshot(packSnapshot(snapshot))).toEqual(snapshot);
      }),
    );
  });

  test('of nothing is nothing', () => {
    expect(unpackSnapshot(packSnapshot({ features: {} }))).toEqual({ features: {} });
  });

  test('keeps a feature that is called as a member of every object is', () => {
    const features = { constructor: { feature: 'constructor', type: 'boolean', aggregation: 'max', sources: [] } };
    const unpacked = unpackSnapshot(packSnapshot({ features } as unknown as SnapshotBody));
    expect(Object.hasOwn(unpacked.features, 'constructor')).toBe(true);
  });

  test('is at most half as long as the JSON', () => {
    const window = { from: 1_790_000_000_000, to: 1_795_000_000_000, reason: 'subscription_active' } as const;
    const one: SourceTrace = {
      type: 'subscription',
      id: 'sub_1PQrStUvWxYz0123456789',
      via: 'price_1PQrStUvWxYz0123456789',
      effect: 'allow',
      value: 5,
      unlimited: false,
      windows: [window],
      endReason: 'expired',
      endedAt: window.to,
      periodEnd: window.to,
      willRenew: true,
    };
    const seats: FeatureTrace = { feature: 'seats', type: 'limit', aggregation: 'max', sources: [one] };
    const snapshot = { features: { seats } };
    expect(packSnapshot(snapshot).length).toBeLessThan(JSON.stringify(snapshot).length / 2);
  });
});
