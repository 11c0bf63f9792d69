import { listShape, pageOf } from '../lists.ts';
import { list, optional, range, text } from '../params.ts';
import { route } from '../routes.ts';

function matches(type: string, wanted: string): boolean {
  return wanted.endsWith('*') ? type.startsWith(wanted.slice(0, -1)) : type === wanted;
}

export const eventRoutes = [
  route(
    'GET',
    '/events',
    {
      ...listShape,
      created: optional(range),
      delivery_success: optional((value) => value === 'true'),
      type: optional(text),
      types: optional(list(text)),
    },
    (world, params) =>
      pageOf(world.store, 'event', params, {
        url: '/v1/events',
        keep: (event) =>
          (params.type === undefined || matches(event.type, params.type)) &&
          (params.types === undefined || params.types.some((wanted) => matches(event.type, wanted))) &&
          (params.delivery_success === undefined || (event.pending_webhooks === 0) === params.delivery_success) &&
          (params.created?.(event.created) ?? true),
      }),
  ),
  route('GET', '/events/:id', {}, (world, _params, id) => world.need('event', id)),
];
