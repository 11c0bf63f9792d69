import { invalidRequest } from '../errors.ts';
import type { Kinds } from '../model.ts';
import { integer, optional, required, text } from '../params.ts';
import { route } from '../routes.ts';
import { searchMatcher } from '../search.ts';

/** The kinds that can be searched, by the path of their list. */
const SEARCHABLE = {
  charges: 'charge',
  customers: 'customer',
  invoices: 'invoice',
  payment_intents: 'payment_intent',
  prices: 'price',
  products: 'product',
  subscriptions: 'subscription',
} as const satisfies Record<string, keyof Kinds>;

/** Search over everything that Stripe lets one search. Unlike Stripe's, the index is never behind. */
export const searchRoutes = Object.entries(SEARCHABLE).map(([path, kind]) =>
  route(
    'GET',
    `/${path}/search`,
    { query: required(text), limit: optional(integer), page: optional(text) },
    (world, params) => {
      const limit = params.limit ?? 10;
      if (limit < 1 || limit > 100) throw invalidRequest(`Invalid limit: ${limit}`, { param: 'limit' });
      const from = params.page === undefined ? 0 : Number(params.page);
      if (!Number.isSafeInteger(from) || from < 0) throw invalidRequest('Invalid page.', { param: 'page' });
      const found = [...world.store.all(kind)].reverse().filter(searchMatcher(path, params.query));
      const more = found.length > from + limit;
      return {
        object: 'search_result',
        data: found.slice(from, from + limit),
        has_more: more,
        next_page: more ? String(from + limit) : null,
        url: `/v1/${path}/search`,
      };
    },
  ),
);
