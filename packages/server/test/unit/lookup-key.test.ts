import { describe, expect, test } from 'vitest';
import {
  fromStripeLookupKey,
  isPrefixed,
  MAX_LOOKUP_KEY_LENGTH,
  toStripeLookupKey,
} from '../../src/catalog/lookup-key.ts';
import { newId } from '../../src/platform/ids.ts';

describe('a lookup key', () => {
  test('comes back from Stripe as the app wrote it', () => {
    for (const key of ['pro', 'pro:monthly', 'prj_other:pro', ' spaced ', 'prj_a:']) {
      expect(fromStripeLookupKey('prj_a', toStripeLookupKey('prj_a', key))).toBe(key);
    }
  });

  test('is another one in Stripe for each project', () => {
    expect(toStripeLookupKey('prj_a', 'pro')).not.toBe(toStripeLookupKey('prj_b', 'pro'));
  });

  test('that another project gave stays whole, and is not taken for ours', () => {
    const theirs = toStripeLookupKey('prj_b', 'pro');
    expect(isPrefixed('prj_a', theirs)).toBe(false);
    expect(fromStripeLookupKey('prj_a', theirs)).toBe(theirs);
    expect(isPrefixed('prj_a', toStripeLookupKey('prj_ab', 'pro'))).toBe(false);
  });

  test('that an imported price has in Stripe is kept without a prefix', () => {
    expect(fromStripeLookupKey('prj_a', 'standard_monthly')).toBe('standard_monthly');
  });

  test('is null where Stripe has none', () => {
    expect(fromStripeLookupKey('prj_a', null)).toBeNull();
    expect(fromStripeLookupKey('prj_a', '')).toBeNull();
  });

  test('of the greatest length fits into what Stripe takes', () => {
    expect(toStripeLookupKey(newId('prj'), 'k'.repeat(MAX_LOOKUP_KEY_LENGTH)).length).toBeLessThanOrEqual(200);
  });
});
