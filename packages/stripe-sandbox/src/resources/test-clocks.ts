import { invalidRequest } from '../errors.ts';
import { change, emit } from '../events.ts';
import { listShape, pageOf } from '../lists.ts';
import { integer, optional, required, text } from '../params.ts';
import { route } from '../routes.ts';
import { advanceTestClock } from '../time.ts';

const MONTH = 30 * 86_400;

export const testClockRoutes = [
  route(
    'POST',
    '/test_helpers/test_clocks',
    { frozen_time: required(integer), name: optional(text) },
    (world, params) => {
      const clock = world.store.insert('test_helpers.test_clock', {
        id: world.ids.make('clock_'),
        object: 'test_helpers.test_clock',
        created: world.clock.now(),
        deletes_after: world.clock.now() + MONTH,
        frozen_time: params.frozen_time,
        livemode: false,
        name: params.name ?? null,
        status: 'ready',
        status_details: {},
      });
      emit(world, 'test_helpers.test_clock.created', clock);
      return clock;
    },
  ),
  route('GET', '/test_helpers/test_clocks', listShape, (world, params) =>
    pageOf(world.store, 'test_helpers.test_clock', params, { url: '/v1/test_helpers/test_clocks' }),
  ),
  route('GET', '/test_helpers/test_clocks/:id', {}, (world, _params, id) => world.need('test_helpers.test_clock', id)),
  route('POST', '/test_helpers/test_clocks/:id/advance', { frozen_time: required(integer) }, (world, params, id) => {
    const clock = world.need('test_helpers.test_clock', id);
    if (params.frozen_time <= clock.frozen_time) {
      throw invalidRequest('You can only advance the clock to the future.', { param: 'frozen_time' });
    }
    change(world, clock, 'test_helpers.test_clock.advancing', () => {
      clock.status = 'advancing';
    });
    advanceTestClock(world, clock, params.frozen_time);
    // It is ready at once, but Stripe answers before it is: callers poll or wait for the event.
    change(world, clock, 'test_helpers.test_clock.ready', () => {
      clock.status = 'ready';
    });
    return { ...clock, status: 'advancing' };
  }),
  route('DELETE', '/test_helpers/test_clocks/:id', {}, (world, _params, id) => {
    const clock = world.need('test_helpers.test_clock', id);
    for (const customer of world.store.all('customer').filter(({ test_clock }) => test_clock === id)) {
      for (const subscription of [...world.store.all('subscription', { key: 'customer', value: customer.id })]) {
        world.store.delete('subscription', subscription.id);
      }
      world.remove('customer', customer.id);
    }
    emit(world, 'test_helpers.test_clock.deleted', clock);
    return world.remove('test_helpers.test_clock', id);
  }),
];
