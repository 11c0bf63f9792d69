import { listShape, pageOf } from '../lists.ts';
import { optional, range, text } from '../params.ts';
import { route } from '../routes.ts';

export const balanceTransactionRoutes = [
  route(
    'GET',
    '/balance_transactions',
    {
      ...listShape,
      created: optional(range),
      currency: optional(text),
      source: optional(text),
      type: optional(text),
    },
    (world, params) =>
      pageOf(world.store, 'balance_transaction', params, {
        url: '/v1/balance_transactions',
        keep: (entry) =>
          (params.currency === undefined || entry.currency === params.currency) &&
          (params.source === undefined || entry.source === params.source) &&
          (params.type === undefined || entry.type === params.type) &&
          (params.created?.(entry.created) ?? true),
      }),
  ),
  route('GET', '/balance_transactions/:id', {}, (world, _params, id) => world.need('balance_transaction', id)),
];
