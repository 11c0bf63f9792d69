import { captureIntent } from '../billing/capture.ts';
import { invalidRequest } from '../errors.ts';
import { change } from '../events.ts';
import { firstBy, listShape, pageOf } from '../lists.ts';
import { amount, clearable, mergeMetadata, metadata, optional, range, text } from '../params.ts';
import { route } from '../routes.ts';

export const chargeRoutes = [
  route(
    'GET',
    '/charges',
    { ...listShape, created: optional(range), customer: optional(text), payment_intent: optional(text) },
    (world, params) =>
      pageOf(world.store, 'charge', params, {
        url: '/v1/charges',
        by: firstBy(params, ['payment_intent', 'customer']),
        keep: (charge) =>
          (params.customer === undefined || charge.customer === params.customer) &&
          (params.payment_intent === undefined || charge.payment_intent === params.payment_intent) &&
          (params.created?.(charge.created) ?? true),
      }),
  ),
  route('GET', '/charges/:id', {}, (world, _params, id) => world.need('charge', id)),
  route(
    'POST',
    '/charges/:id',
    { description: optional(clearable(text)), metadata: optional(metadata) },
    (world, params, id) => {
      const charge = world.need('charge', id);
      const metadataAfter = mergeMetadata(charge.metadata, params.metadata);
      change(world, charge, 'charge.updated', () => {
        charge.metadata = metadataAfter;
        if (params.description !== undefined) charge.description = params.description;
      });
      return charge;
    },
  ),
  route('POST', '/charges/:id/capture', { amount: optional(amount) }, (world, params, id) => {
    const charge = world.need('charge', id);
    const intent = world.need('payment_intent', charge.payment_intent);
    if (intent.status !== 'requires_capture') {
      throw invalidRequest(`Charge ${id} has already been captured.`, { code: 'charge_already_captured' });
    }
    const toCapture = params.amount ?? intent.amount_capturable;
    if (toCapture < 1 || toCapture > intent.amount_capturable) {
      throw invalidRequest('The amount to capture is greater than what is held.', {
        code: 'amount_too_large',
        param: 'amount',
      });
    }
    world.inTimeOf(charge.customer, () => captureIntent(world, intent, toCapture));
    return charge;
  }),
];
