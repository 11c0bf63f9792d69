import { cancelRefund, refundCharge } from '../billing/refunds.ts';
import { invalidRequest } from '../errors.ts';
import { change, emit } from '../events.ts';
import { firstBy, listShape, pageOf } from '../lists.ts';
import type { Charge } from '../model.ts';
import { flag, integer, mergeMetadata, metadata, oneOf, optional, range, text } from '../params.ts';
import { route } from '../routes.ts';
import type { World } from '../world.ts';

function chargeNamed(world: World, given: { charge: string | undefined; payment_intent: string | undefined }): Charge {
  if (given.charge !== undefined) return world.need('charge', given.charge, 'charge');
  if (given.payment_intent === undefined) {
    throw invalidRequest('One of the following params should be provided for this request: payment_intent or charge.');
  }
  const intent = world.need('payment_intent', given.payment_intent, 'payment_intent');
  const charge = intent.latest_charge === null ? undefined : world.store.get('charge', intent.latest_charge);
  if (charge === undefined || charge.status !== 'succeeded') {
    throw invalidRequest(`This PaymentIntent (${intent.id}) does not have a successful charge to refund.`, {
      param: 'payment_intent',
    });
  }
  return charge;
}

export const refundRoutes = [
  route(
    'POST',
    '/refunds',
    {
      amount: optional(integer),
      charge: optional(text),
      metadata: optional(metadata),
      payment_intent: optional(text),
      reason: optional(oneOf('duplicate', 'fraudulent', 'requested_by_customer')),
      refund_application_fee: optional(flag),
      reverse_transfer: optional(flag),
    },
    (world, params) => {
      const charge = chargeNamed(world, params);
      const { amount, reason = null } = params;
      return world.inTimeOf(charge.customer, () =>
        refundCharge(world, charge, { amount, reason, metadata: mergeMetadata({}, params.metadata) }),
      );
    },
  ),
  route(
    'GET',
    '/refunds',
    { ...listShape, charge: optional(text), created: optional(range), payment_intent: optional(text) },
    (world, params) =>
      pageOf(world.store, 'refund', params, {
        url: '/v1/refunds',
        by: firstBy(params, ['charge', 'payment_intent']),
        keep: (refund) =>
          (params.payment_intent === undefined || refund.payment_intent === params.payment_intent) &&
          (params.created?.(refund.created) ?? true),
      }),
  ),
  route('GET', '/refunds/:id', {}, (world, _params, id) => world.need('refund', id)),
  route('POST', '/refunds/:id', { metadata: optional(metadata) }, (world, params, id) => {
    const refund = world.need('refund', id);
    const metadataAfter = mergeMetadata(refund.metadata, params.metadata);
    const changed = change(world, refund, 'refund.updated', () => {
      refund.metadata = metadataAfter;
    });
    if (changed) emit(world, 'charge.refund.updated', refund);
    return refund;
  }),
  route('POST', '/refunds/:id/cancel', {}, (world, _params, id) => cancelRefund(world, world.need('refund', id))),
];
