import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { LoadingCache, type LoadingCacheOptions } from '../../src/entitlements/loading-cache.ts';
import { notFound, TollgateError } from '../../src/platform/errors.ts';
import { until } from '../support/until.ts';

interface Value {
  text: string;
}

let now: number;
let heard: boolean;
let failures: boolean[];
/** Reads that wait for the test to answer them, in the order in which they were asked for. */
let reads: { key: string; answer(text: string): void; fail(error: unknown): void }[];
let cache: LoadingCache<Value>;

function create(options: Partial<LoadingCacheOptions<Value>> = {}): LoadingCache<Value> {
  return new LoadingCache<Value>({
    load: (key) => {
      const { promise, resolve, reject } = Promise.withResolvers<Value>();
      reads.push({ key, answer: (text) => resolve({ text }), fail: reject });
      return promise;
    },
    sizeOf: ({ text }) => text.length,
    same: (a, b) => a.text === b.text,
    maxBytes: 100_000,
    clock: { now: () => now },
    heard: () => heard,
    onFailure: (_, stale) => failures.push(stale),
    maxAgeMs: 60_000,
    maxAgeUnheardMs: 1_000,
    maxStaleMs: 900_000,
    ...options,
  });
}

beforeEach(() => {
  now = 1_000_000;
  heard = true;
  failures = [];
  reads = [];
  cache = create();
});

/** Asks for the key, and answers the read that this begins. */
async function fill(key: string, text: string): Promise<Value> {
  const value = cache.get(key);
  reads.at(-1)?.answer(text);
  return await value;
}

describe('a value that is remembered', () => {
  test('is answered without a promise', async () => {
    const value = await fill('a', 'one');
    expect(cache.get('a')).toBe(value);
    expect(cache.counts()).toMatchObject({ hits: 1, misses: 1, entries: 1 });
  });

  test('is read again when it is as old as it may be', async () => {
    await fill('a', 'one');
    now += 59_999;
    expect(cache.get('a')).toEqual({ text: 'one' });
    now += 1;
    expect(cache.get('a')).toBeInstanceOf(Promise);
  });

  test('is read again before it is too old, once, while the old one answers', async () => {
    await fill('a', 'one');
    now += 29_999;
    cache.get('a');
    await sleep(40);
    expect(reads).toHaveLength(1);
    now += 25_000;
    expect([cache.get('a'), cache.get('a')]).toEqual([{ text: 'one' }, { text: 'one' }]);
    await until(() => reads.length === 2);
    expect(cache.get('a')).toEqual({ text: 'one' });
    reads[1]?.answer('two');
    await until(() => cache.peek('a')?.text === 'two');
    now += 29_000;
    expect(cache.get('a')).toEqual({ text: 'two' });
    await sleep(40);
    expect(reads).toHaveLength(2);
  });

  test('is not brought back by a read in the background that began before it was invalidated', async () => {
    await fill('a', 'one');
    now += 55_000;
    cache.get('a');
    await until(() => reads.length === 2);
    cache.invalidate('a');
    reads[1]?.answer('of before');
    await sleep(10);
    expect(cache.peek('a')).toBeUndefined();
  });

  test('is kept without being read when it is known to be unchanged', async () => {
    let compared: (string | undefined)[] = [];
    cache = create({
      unchanged: async (remembered) => {
        compared = [...remembered.values()].map(({ text }) => text);
        return [...remembered.keys()].filter((key) => key === 'a');
      },
    });
    await fill('a', 'one');
    await fill('b', 'two');
    now += 55_000;
    cache.get('a');
    cache.get('b');
    await until(() => reads.length === 3);
    expect(compared).toEqual(['one', 'two']);
    expect(reads[2]?.key).toBe('b');
    now += 20_000;
    expect(cache.get('a')).toEqual({ text: 'one' });
  });

  test('answers on when the read in the background fails, until it is too old', async () => {
    await fill('a', 'one');
    now += 55_000;
    cache.get('a');
    await until(() => reads.length === 2);
    reads[1]?.fail(new Error('no database'));
    await sleep(10);
    expect(cache.get('a')).toEqual({ text: 'one' });
    now += 5_000;
    expect(cache.get('a')).toBeInstanceOf(Promise);
  });

  test('is read again after a second while nothing is heard', async () => {
    await fill('a', 'one');
    heard = false;
    now += 999;
    expect(cache.get('a')).toEqual({ text: 'one' });
    now += 1;
    expect(cache.get('a')).toBeInstanceOf(Promise);
  });

  test('stays the same object when what is read again is the same', async () => {
    const value = await fill('a', 'one');
    now += 60_000;
    expect(await fill('a', 'one')).toBe(value);
    now += 60_000;
    expect(await fill('a', 'two')).not.toBe(value);
  });

  test('is read again when the clock has gone back', async () => {
    await fill('a', 'one');
    now -= 5_000;
    expect(cache.get('a')).toBeInstanceOf(Promise);
  });
});

describe('concurrent readers', () => {
  test('of one key share one read', async () => {
    const all = [cache.get('a'), cache.get('a'), cache.get('a')];
    expect(reads).toHaveLength(1);
    reads[0]?.answer('one');
    expect(await Promise.all(all)).toEqual([{ text: 'one' }, { text: 'one' }, { text: 'one' }]);
  });
});

describe('an invalidation', () => {
  test('forgets what is remembered', async () => {
    await fill('a', 'one');
    cache.invalidate('a');
    expect(cache.peek('a')).toBeUndefined();
    expect(await fill('a', 'two')).toEqual({ text: 'two' });
  });

  test('wins over a read that was under way: its result is not remembered', async () => {
    const early = cache.get('a');
    cache.invalidate('a');
    reads[0]?.answer('old');
    await early;
    expect(cache.peek('a')).toBeUndefined();
  });

  test('makes who comes after it read anew, however the two reads end', async () => {
    const early = cache.get('a');
    cache.invalidate('a');
    const late = cache.get('a');
    expect(reads).toHaveLength(2);
    reads[1]?.answer('new');
    expect(await late).toEqual({ text: 'new' });
    reads[0]?.answer('old');
    await early;
    expect(cache.get('a')).toEqual({ text: 'new' });
  });

  test('leaves other keys alone', async () => {
    const other = await fill('b', 'one');
    cache.invalidate('a');
    expect(cache.get('b')).toBe(other);
  });
});

describe('doubt', () => {
  test('makes everything be read again', async () => {
    await fill('a', 'one');
    cache.doubt();
    expect(cache.get('a')).toBeInstanceOf(Promise);
  });

  test('also of what was being read', async () => {
    const early = cache.get('a');
    cache.doubt();
    reads[0]?.answer('old');
    await early;
    expect(cache.get('a')).toBeInstanceOf(Promise);
    expect(reads).toHaveLength(2);
  });

  test('leaves what can answer while nothing can be read', async () => {
    await fill('a', 'one');
    cache.doubt();
    const value = cache.get('a');
    reads.at(-1)?.fail(new Error('gone'));
    expect(await value).toEqual({ text: 'one' });
  });
});

describe('while nothing can be read', () => {
  test('the old value answers, and is told of as stale', async () => {
    await fill('a', 'one');
    now += 60_000;
    const value = cache.get('a');
    reads.at(-1)?.fail(new Error('gone'));
    expect(await value).toEqual({ text: 'one' });
    expect([failures, cache.failing(), cache.counts().stale]).toEqual([[true], true, 1]);
  });

  test('old values answer for a second without another try, and then one is made', async () => {
    await fill('a', 'one');
    now += 60_000;
    const value = cache.get('a');
    reads.at(-1)?.fail(new Error('gone'));
    await value;
    const tries = reads.length;
    now += 999;
    expect(await cache.get('a')).toEqual({ text: 'one' });
    expect(reads).toHaveLength(tries);
    now += 1;
    expect(await fill('a', 'two')).toEqual({ text: 'two' });
    expect(cache.failing()).toBe(false);
  });

  test('nothing older than its bound answers', async () => {
    await fill('a', 'one');
    now += 900_000;
    const value = cache.get('a');
    reads.at(-1)?.fail(new Error('gone'));
    await expect(value).rejects.toThrow(expect.objectContaining({ code: 'database_unavailable' }));
  });

  test('what was invalidated does not come back', async () => {
    await fill('a', 'one');
    cache.invalidate('a');
    const value = cache.get('a');
    reads.at(-1)?.fail(new Error('gone'));
    await expect(value).rejects.toBeInstanceOf(TollgateError);
    expect(failures).toEqual([false]);
  });

  test('what was invalidated while it was asked for does not answer either', async () => {
    await fill('a', 'one');
    now += 60_000;
    const value = cache.get('a');
    cache.invalidate('a');
    reads.at(-1)?.fail(new Error('gone'));
    await expect(value).rejects.toBeInstanceOf(TollgateError);
  });
});

describe('a refusal by the reader', () => {
  test('is the answer, is no failure, and is not remembered', async () => {
    const value = cache.get('a');
    reads[0]?.fail(notFound('project'));
    await expect(value).rejects.toThrow(expect.objectContaining({ code: 'not_found' }));
    expect([failures, cache.failing()]).toEqual([[], false]);
    expect(await fill('a', 'one')).toEqual({ text: 'one' });
  });
});

describe('the bound of bytes', () => {
  test('is kept by forgetting whoever was not asked for the longest', async () => {
    cache = create({ maxBytes: 1_900 });
    for (const key of ['a', 'b', 'c', 'd']) {
      await fill(key, 'x'.repeat(250));
      cache.get('a');
    }
    expect(cache.counts().bytes).toBeLessThanOrEqual(1_900);
    expect(['a', 'b', 'c', 'd'].map((key) => cache.peek(key) !== undefined)).toEqual([true, false, true, true]);
  });

  test('lets a value that is larger than everything be answered, not remembered', async () => {
    cache = create({ maxBytes: 1_000 });
    expect(await fill('a', 'x'.repeat(5_000))).toEqual({ text: 'x'.repeat(5_000) });
    expect(cache.counts().entries).toBe(0);
  });
});
