import { Type } from 'typebox';
import { describe, expect, test } from 'vitest';
import { TollgateError } from '../../src/platform/errors.ts';
import { openObjects } from '../../src/platform/http/closed-schemas.ts';
import { Closed, CustomerId, FeatureCode, Nullable, named, OneOf, Timestamp } from '../../src/platform/http/schemas.ts';
import { compileValidator, parseJson } from '../../src/platform/http/validation.ts';

const Inner = named('TestInner', Closed({ code: FeatureCode, value: Type.Optional(Nullable(Type.Integer())) }));

/** The value as the handler would get it, or the refusal. */
function validate(
  part: 'body' | 'querystring',
  schema: Parameters<typeof compileValidator>[0]['schema'],
  value: unknown,
) {
  const result = compileValidator({ schema, httpPart: part, method: 'POST', url: '/' })(value) as {
    value?: unknown;
    error?: unknown;
  };
  if (result.error instanceof TollgateError) return result.error.errors;
  return result.value;
}

describe('a field of one shape or another', () => {
  const schema = Closed({ items: Type.Union([Type.Literal('all'), Type.Array(Inner, { minItems: 1 })]) });

  test('is told what is wrong within it, and not which shapes it has not', () => {
    expect(validate('body', schema, { items: ['pro'] })).toEqual([{ path: 'items.0', message: 'must be object' }]);
    expect(validate('body', schema, { items: [{ code: 'Pro' }] })).toEqual([
      { path: 'items.0.code', message: 'must match ^[a-z][a-z0-9_]{0,63}$' },
    ]);
  });

  test('is told which shapes there are when it has none of them', () => {
    const refused = validate('body', schema, { items: 5 }) as { path: string; message: string }[];
    expect(refused.map(({ message }) => message)).toEqual(
      expect.arrayContaining(['must be equal to constant', 'must be array']),
    );
  });
});

describe('a body', () => {
  const schema = Closed({ items: Type.Array(Inner, { maxItems: 2 }), kind: Type.Optional(OneOf(['a', 'b'])) });

  test('passes as it came', () => {
    const body = { items: [{ code: 'pro', value: null }], kind: 'a' };
    expect(validate('body', schema, body)).toEqual(body);
  });

  test.each([
    [{ items: [{ code: 'pro', value: '3' }] }, 'items.0.value'],
    [{ items: [{ code: 'Pro' }] }, 'items.0.code'],
    [{ items: [{ code: 'pro', colour: 'red' }] }, 'items.0.colour'],
    [{ items: [{}] }, 'items.0.code'],
    [{ items: [{ code: 'a' }, { code: 'b' }, { code: 'c' }] }, 'items'],
    [{ items: [], kind: 'c' }, 'kind'],
    [{ items: [], __proto: 1 }, '__proto'],
    [JSON.parse('{"items": [], "__proto__": {"kind": "a"}}'), '__proto__'],
    [{ items: [], constructor: 1 }, 'constructor'],
    [{}, 'items'],
    [[], ''],
    ['text', ''],
  ])('%j is refused at %s', (body, path) => {
    expect(validate('body', schema, body)).toContainEqual(expect.objectContaining({ path }));
  });

  test('that is missing says the same as an empty one, where every field may be left out', () => {
    expect(validate('body', Closed({ n: Type.Optional(Type.Integer()) }), null)).toEqual({});
    expect(validate('body', schema, null)).toContainEqual({ path: '', message: 'must be object' });
  });

  test('is not converted', () => {
    expect(validate('body', Closed({ n: Type.Integer() }), { n: '1' })).toEqual([
      { path: 'n', message: 'must be integer' },
    ]);
  });
});

describe('a query', () => {
  const schema = Closed({
    n: Type.Optional(Type.Integer({ minimum: 1 })),
    yes: Type.Optional(Type.Boolean()),
    text: Type.Optional(Type.String()),
  });

  test('has its numbers and booleans converted, and its texts left alone', () => {
    expect(validate('querystring', schema, { n: '12', yes: 'false', text: '12' })).toEqual({
      n: 12,
      yes: false,
      text: '12',
    });
  });

  test.each([
    { n: '' },
    { n: '1e3' },
    { n: '0x10' },
    { n: ' 1' },
    { n: '1.5' },
    { n: ['1', '2'] },
    { yes: '1' },
    { yes: 'TRUE' },
    { text: ['a', 'b'] },
    { more: '1' },
  ])('%j is refused', (query) => {
    expect(validate('querystring', schema, query)).toEqual([expect.objectContaining({ path: Object.keys(query)[0] })]);
  });
});

describe('a customer id', () => {
  const check = (id: string) => validate('body', Closed({ id: CustomerId }), { id });

  test.each(['u_42', 'U 42', 'ü', '💶'.repeat(50), 'a/b?c#d%', 'x'.repeat(200), '../etc'])('may be %s', (id) => {
    expect(check(id)).toEqual({ id });
  });

  test.each(['', 'x'.repeat(201), 'a\nb', 'a\tb', 'a\u0007', 'a\u2028b', '\u0085'])('may not be %j', (id) => {
    expect(check(id)).toContainEqual(expect.objectContaining({ path: 'id' }));
  });
});

describe('a moment', () => {
  const check = (at: string) => validate('body', Closed({ at: Timestamp }), { at });

  test.each(['2026-01-31T12:00:00Z', '2026-01-31T12:00:00.123456+02:00', '2028-02-29t00:00:00z'])('may be %s', (at) => {
    expect(check(at)).toEqual({ at });
  });

  test.each([
    '2026-02-29T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-12-31T23:59:60Z',
    '2026-01-31',
    '2026-01-31T12:00:00',
    '1766-01-01T00:00:00Z',
    'now',
    '1790000000',
  ])('may not be %s', (at) => {
    expect(check(at)).toEqual([{ path: 'at', message: 'must be a moment as 2026-01-31T12:00:00Z' }]);
  });
});

describe('JSON', () => {
  test('that is empty is no body', () => {
    expect(parseJson('')).toBeUndefined();
  });

  test.each(['{"a":"\\u0000"}', '{"a":["x",{"b":"\\u0000"}]}', '{"\\u0000":1}', '{"a":"\\ud800"}', '{"a":"\\uDC00x"}'])(
    '%s holds text that cannot be stored, and is refused',
    (text) => {
      expect(() => parseJson(text)).toThrow(/NUL/);
    },
  );

  test.each(['{"a":"\\\\u0000"}', '{"a":"\\ud83d\\udcb6"}', '{"a":"\\u0001"}'])('%s is fine', (text) => {
    expect(parseJson(text)).toEqual(JSON.parse(text));
  });

  test.each(['{', 'undefined', "{'a':1}", '{"a":1}}', '\ufeff{}', 'NaN'])('%s is refused', (text) => {
    expect(() => parseJson(text)).toThrow(/not valid JSON/);
  });
});

describe('a schema of requests', () => {
  test('is closed when every object in it is, also behind references', () => {
    expect(openObjects(Closed({ a: Inner, b: Type.Array(Closed({})) }))).toEqual([]);
    expect(openObjects(Type.Record(Type.String(), Type.String()))).toEqual([]);
  });

  test('is open where an object takes anything', () => {
    expect(openObjects(Type.Object({}))).toEqual(['#']);
    expect(openObjects(Closed({ a: Type.Array(Type.Object({ b: Type.String() })) }))).toEqual(['#/properties/a/items']);
    expect(openObjects(Closed({ a: Nullable(Type.Object({})) }))).toHaveLength(1);
    expect(openObjects(named('TestOpen', Type.Object({})))).toEqual(['TestOpen#']);
  });

  test('has a name of its own', () => {
    expect(() => named('TestInner', Closed({}))).toThrow('TestInner');
  });
});
