import { describe, expect, test } from 'vitest';
import { canonicalJson } from '../../src/platform/canonical-json.ts';
import { TollgateError } from '../../src/platform/errors.ts';
import { createFailedAttempts } from '../../src/platform/http/failed-attempts.ts';
import { decodeCursor, encodeCursor, page } from '../../src/platform/http/pages.ts';
import { problemCodes, problemOf, statusOf, toTollgateError } from '../../src/platform/http/problems.ts';

describe('a page', () => {
  const rows = ['a', 'b', 'c'].map((id) => ({ id }));

  test('that is full points to the next one', () => {
    const first = page(rows, 2, (row) => row.id);
    expect(first).toMatchObject({ object: 'list', data: [{ id: 'a' }, { id: 'b' }], has_more: true });
    expect(decodeCursor(first.next_cursor ?? '')).toBe('b');
  });

  test('that ends the list points nowhere', () => {
    expect(page(rows, 3, (row) => row.id)).toMatchObject({ has_more: false, next_cursor: null });
    expect(page([], undefined, () => '')).toEqual({ object: 'list', data: [], has_more: false, next_cursor: null });
  });

  test.each(['', '!!', 'YQ==', 'YQ=', encodeCursor('a\0b'), 'w6', '____'])(
    'is not found by the cursor %j',
    (cursor) => {
      expect(() => decodeCursor(cursor)).toThrow(TollgateError);
    },
  );
});

describe('canonical JSON', () => {
  test('is the same for equal values, however their members are ordered', () => {
    expect(canonicalJson({ b: [{ d: 1, c: null }], a: 'x' })).toBe('{"a":"x","b":[{"c":null,"d":1}]}');
    expect(canonicalJson({ a: 1, b: undefined })).toBe(canonicalJson({ a: 1 }));
    expect(canonicalJson(undefined)).toBe('null');
    expect(canonicalJson({ at: new Date(0) })).toBe('{"at":"1970-01-01T00:00:00.000Z"}');
  });

  test('tells different values apart', () => {
    const texts = [{ a: 1 }, { a: '1' }, { a: [1] }, { a: null }, {}, []].map(canonicalJson);
    expect(new Set(texts).size).toBe(texts.length);
  });
});

describe('a problem', () => {
  test('carries code, detail, fields and what stands in the way', () => {
    const error = new TollgateError('already_subscribed', 'Use the portal.', [{ path: 'price', message: 'is owned' }], {
      subscription_id: 'sub_1',
    });
    expect(problemOf(error, 'req_1')).toEqual({
      type: 'urn:tollgate:problem:already_subscribed',
      title: 'The customer is already subscribed',
      status: 409,
      detail: 'Use the portal.',
      code: 'already_subscribed',
      request_id: 'req_1',
      errors: [{ path: 'price', message: 'is owned' }],
      subscription_id: 'sub_1',
    });
  });

  test('of anything unforeseen keeps its message to itself', () => {
    for (const thrown of [new Error('password=hunter2'), 'text', null, undefined, { code: 'XX000' }]) {
      const problem = problemOf(toTollgateError(thrown), 'req_1');
      expect(problem).toMatchObject({ status: 500, code: 'internal' });
      expect(JSON.stringify(problem)).not.toContain('hunter2');
    }
  });

  test.each([
    [{ code: '57P01' }, 503],
    [Object.assign(new Error('connect'), { code: 'ECONNREFUSED', syscall: 'connect' }), 503],
    [new Error('timeout exceeded when trying to connect'), 503],
    [new Error('Connection terminated unexpectedly'), 503],
    [{ code: '22021' }, 400],
    [{ statusCode: 400 }, 400],
    [{ code: 'FST_ERR_CTP_INVALID_MEDIA_TYPE' }, 415],
  ])('of %j has status %i', (thrown, status) => {
    expect(statusOf(toTollgateError(thrown).code)).toBe(status);
  });

  test('of a code that nobody registered is 500', () => {
    expect(statusOf('no_such_code')).toBe(500);
    expect(problemCodes().every(({ status }) => status >= 400 && status < 600)).toBe(true);
  });
});

describe('failed attempts', () => {
  test('are counted per address and forgotten after the window', () => {
    let now = 0;
    const attempts = createFailedAttempts({ now: () => now }, { max: 2, windowMs: 1_000 });
    attempts.count('a', null);
    expect(attempts.exceeded('a')).toBe(false);
    attempts.count('a', null);
    expect(attempts.exceeded('a')).toBe(true);
    expect(attempts.exceeded('b')).toBe(false);
    expect(attempts.refusal('a')).toMatchObject({ code: 'rate_limited', extensions: { retry_after: 1 } });
    now = 1_000;
    expect(attempts.exceeded('a')).toBe(false);
  });
});
