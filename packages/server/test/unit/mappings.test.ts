import type { Feature } from '@tollgate/core';
import { describe, expect, test } from 'vitest';
import { type MappingInput, mappingsIn } from '../../src/catalog/mapping-inputs.ts';
import { billingPeriod } from '../../src/catalog/recurring.ts';
import { TollgateError } from '../../src/platform/errors.ts';

const features: Feature[] = [
  { code: 'export', type: 'boolean', aggregation: 'max' },
  { code: 'seats', type: 'limit', aggregation: 'sum' },
  { code: 'calls', type: 'metered', aggregation: 'sum' },
];

function mistakes(inputs: MappingInput[], options?: { recurring?: boolean }): string[] {
  try {
    mappingsIn(inputs, features, options);
  } catch (error) {
    if (!(error instanceof TollgateError)) throw error;
    expect(error.code).toBe('invalid_request');
    return error.errors.map(({ path }) => path);
  }
  return [];
}

describe('mappings', () => {
  test('are completed with what was left out, and come in the order of their codes', () => {
    expect(
      mappingsIn(
        [
          { code: 'seats', value: 5, per_unit: true },
          { code: 'export', access_days: 30 },
        ],
        features,
      ),
    ).toEqual([
      { code: 'export', value: null, unlimited: false, perUnit: false, accessDays: 30 },
      { code: 'seats', value: 5, unlimited: false, perUnit: true, accessDays: null },
    ]);
  });

  test('can be sent back as they were answered', () => {
    const answered = { code: 'export', value: null, unlimited: false, per_unit: false, access_days: null };
    expect(mistakes([answered])).toEqual([]);
  });

  test('of a limit may be zero or unlimited', () => {
    expect(mistakes([{ code: 'seats', value: 0 }])).toEqual([]);
    expect(mistakes([{ code: 'seats', unlimited: true }])).toEqual([]);
  });

  test.each<[string, MappingInput[], string[]]>([
    ['an unknown code', [{ code: 'nothing' }], ['features.0.code']],
    ['a code named twice', [{ code: 'export' }, { code: 'export' }], ['features.1.code']],
    ['a metered feature', [{ code: 'calls', value: 1 }], ['features.0.code']],
    ['a limit without an amount', [{ code: 'seats' }], ['features.0.value']],
    ['a limit with per_unit alone', [{ code: 'seats', per_unit: true }], ['features.0.value']],
    ['an amount beside unlimited', [{ code: 'seats', value: 1, unlimited: true }], ['features.0.value']],
    ['per_unit beside unlimited', [{ code: 'seats', per_unit: true, unlimited: true }], ['features.0.per_unit']],
    ['a product that is no exact integer', [{ code: 'seats', value: 2 ** 50, per_unit: true }], ['features.0.value']],
    ['an amount of a boolean', [{ code: 'export', value: 0 }], ['features.0.value']],
    ['an unlimited boolean', [{ code: 'export', unlimited: true }], ['features.0.unlimited']],
    ['a boolean per unit', [{ code: 'export', per_unit: true }], ['features.0.per_unit']],
    ['every mistake at once', [{ code: 'x' }, { code: 'seats' }], ['features.0.code', 'features.1.value']],
  ])('refuse %s', (_what, inputs, paths) => {
    expect(mistakes(inputs)).toEqual(paths);
  });

  test('take access_days for one-off purchases only', () => {
    expect(mistakes([{ code: 'export', access_days: 30 }], { recurring: true })).toEqual(['features.0.access_days']);
    expect(mistakes([{ code: 'export', access_days: null }], { recurring: true })).toEqual([]);
  });
});

describe('a billing period', () => {
  test.each([
    ['day', 1095],
    ['week', 156],
    ['month', 36],
    ['year', 3],
  ] as const)('of %s goes up to %i, as at Stripe', (interval, longest) => {
    expect(billingPeriod({ interval, interval_count: longest })).toEqual({ interval, intervalCount: longest });
    expect(() => billingPeriod({ interval, interval_count: longest + 1 })).toThrow(
      expect.objectContaining({
        code: 'invalid_request',
        errors: [expect.objectContaining({ path: 'recurring.interval_count' })],
      }),
    );
  });

  test('is one interval long by default', () => {
    expect(billingPeriod({ interval: 'month' })).toEqual({ interval: 'month', intervalCount: 1 });
  });
});
