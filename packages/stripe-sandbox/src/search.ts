import { invalidRequest } from './errors.ts';

const CLAUSE = /^(-?)([a-z_]+)(?:\["([^"]*)"\])?\s*(:|~|>=|<=|>|<)\s*(?:"([^"]*)"|'([^']*)'|(null)|(-?\d+))$/;

interface Searchable {
  metadata: Record<string, string>;
}

function compare(value: unknown, operator: string, wanted: string): boolean {
  const [left, right] = [Number(value), Number(wanted)];
  if (operator === '>') return left > right;
  if (operator === '<') return left < right;
  return operator === '>=' ? left >= right : left <= right;
}

/**
 * A test for Stripe's search language, as far as it is covered: clauses such as `email:"a@b.c"`, `name~"Ann"`,
 * `metadata["key"]:"value"`, `created>1700000000` and `-field:null`, joined by AND or by OR.
 *
 * @throws StripeError when a clause cannot be read
 */
export function searchMatcher<T extends Searchable>(query: string): (object: T) => boolean {
  const either = /\sOR\s/.test(query);
  const clauses = query.split(either ? /\sOR\s/ : /\sAND\s/).map((clause) => {
    const match = CLAUSE.exec(clause.trim());
    if (match === null) {
      throw invalidRequest(`We were unable to parse your search query: ${clause.trim()}`, { param: 'query' });
    }
    const [, minus, field = '', key, operator = ':', double, single, , number] = match;
    const wanted = double ?? single ?? number ?? null;
    return (object: T): boolean => {
      const value = key === undefined ? (object as Record<string, unknown>)[field] : object.metadata[key];
      const text = value === null || value === undefined ? null : String(value).toLowerCase();
      const hit =
        wanted === null
          ? text === null
          : operator === '~'
            ? (text?.includes(wanted.toLowerCase()) ?? false)
            : operator === ':'
              ? text === wanted.toLowerCase()
              : text !== null && compare(value, operator, wanted);
      return minus === '-' ? !hit : hit;
    };
  });
  return (object) => (either ? clauses.some((test) => test(object)) : clauses.every((test) => test(object)));
}
