import { afterEach, describe, expect, test, vi } from 'vitest';
import { newId } from '../../src/platform/ids.ts';

afterEach(() => {
  vi.useRealTimers();
});

describe('an id', () => {
  test('is its prefix and 26 characters without look-alikes', () => {
    expect(newId('cust')).toMatch(/^cust_[0-9a-hjkmnp-tv-z]{26}$/);
  });

  test('sorts by when it was made', () => {
    vi.useFakeTimers({ now: 1_700_000_000_000 + 1e9 });
    const first = newId('run');
    vi.setSystemTime(1_700_000_000_001 + 1e9);
    const second = newId('run');
    vi.setSystemTime(3_000_000_000_000);
    const last = newId('run');
    expect([last, second, first].sort()).toEqual([first, second, last]);
  });

  test('is larger than the one before, within a millisecond too', () => {
    vi.useFakeTimers({ now: 3_100_000_000_000 });
    const ids = Array.from({ length: 20_000 }, () => newId('aud'));
    expect(ids.every((id, i) => i === 0 || id > (ids[i - 1] ?? ''))).toBe(true);
  });

  test('is larger than the one before when the clock steps back', () => {
    vi.useFakeTimers({ now: 3_200_000_000_000 });
    const before = newId('key');
    vi.setSystemTime(3_100_000_000_000);
    expect(newId('key') > before).toBe(true);
  });

  test('differs from every other', () => {
    expect(new Set(Array.from({ length: 10_000 }, () => newId('prj'))).size).toBe(10_000);
  });
});
