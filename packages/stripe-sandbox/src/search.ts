import { invalidRequest } from './errors.ts';

const CLAUSE = /^(-?)([a-z_0-9.]+)(?:\["([^"]*)"\])?\s*(:|~|>=|<=|>|<)\s*(?:"([^"]*)"|'([^']*)'|(null)|(-?\d+))$/;

/** What Stripe lets one search by, besides metadata. */
const FIELDS: Record<string, readonly string[]> = {
  charges: [
    'amount',
    'billing_details.address.postal_code',
    'created',
    'currency',
    'customer',
    'disputed',
    'payment_method_details.card.brand',
    'payment_method_details.card.exp_month',
    'payment_method_details.card.exp_year',
    'payment_method_details.card.fingerprint',
    'payment_method_details.card.last4',
    'refunded',
    'status',
  ],
  customers: ['created', 'email', 'name', 'phone'],
  invoices: ['created', 'currency', 'customer', 'number', 'receipt_number', 'status', 'subscription', 'total'],
  payment_intents: ['amount', 'created', 'currency', 'customer', 'status'],
  prices: ['active', 'currency', 'lookup_key', 'product', 'type'],
  products: ['active', 'description', 'name', 'shippable', 'url'],
  subscriptions: ['canceled_at', 'created', 'status'],
};
/** `~` looks for no less than this. */
const LEAST_PART = 3;

/** What an object says at a path such as `payment_method_details.card.last4`. */
function valueAt(object: unknown, path: string): unknown {
  // The one field that is searched by another name than it has.
  const steps = (path === 'subscription' ? 'parent.subscription_details.subscription' : path).split('.');
  return steps.reduce<unknown>((group, step) => (group as Record<string, unknown> | null | undefined)?.[step], object);
}

function checkClause(
  resource: string,
  field: string,
  key: string | undefined,
  operator: string,
  wanted: string | null,
) {
  if (key === undefined ? !FIELDS[resource]?.includes(field) : field !== 'metadata') {
    throw invalidRequest(
      `Field \`${field}\` is an unsupported search field for resource \`${resource}\`. See https://docs.stripe.com/search#query-fields-for-${resource} for a list of supported fields.`,
      { param: 'query' },
    );
  }
  if (operator === '~' && (wanted ?? '').length < LEAST_PART) {
    throw invalidRequest(`The \`~\` operator needs at least ${LEAST_PART} characters.`, { param: 'query' });
  }
}

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
export function searchMatcher<T extends Searchable>(resource: string, query: string): (object: T) => boolean {
  const either = /\sOR\s/.test(query);
  if (either && /\sAND\s/.test(query)) {
    throw invalidRequest('A search query can combine its clauses with AND or with OR, but not with both.', {
      param: 'query',
    });
  }
  const clauses = query.split(either ? /\sOR\s/ : /\sAND\s/).map((clause) => {
    const match = CLAUSE.exec(clause.trim());
    if (match === null) {
      throw invalidRequest(`We were unable to parse your search query: ${clause.trim()}`, { param: 'query' });
    }
    const [, minus, field = '', key, operator = ':', double, single, , number] = match;
    const wanted = double ?? single ?? number ?? null;
    checkClause(resource, field, key, operator, wanted);
    return (object: T): boolean => {
      const value = key === undefined ? valueAt(object, field) : object.metadata[key];
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
