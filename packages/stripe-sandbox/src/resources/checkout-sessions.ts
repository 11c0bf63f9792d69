import { createSession } from '../checkout/create-session.ts';
import { expireSession } from '../checkout/pay-session.ts';
import { sessionFields } from '../checkout/session-params.ts';
import { invalidRequest } from '../errors.ts';
import { firstBy, listShape, pageOf, pageOfNested } from '../lists.ts';
import { group, mergeMetadata, metadata, oneOf, optional, range, required, text } from '../params.ts';
import { route } from '../routes.ts';

export {
  type CheckoutPayment,
  type CheckoutResult,
  expireSession,
  leaveCheckout,
  needsMethod,
  payCheckoutSession,
} from '../checkout/pay-session.ts';

export const checkoutSessionRoutes = [
  route('POST', '/checkout/sessions', sessionFields, (world, params) =>
    world.inTimeOf(params.customer ?? null, () => createSession(world, params)),
  ),
  route(
    'GET',
    '/checkout/sessions',
    {
      ...listShape,
      created: optional(range),
      customer: optional(text),
      customer_details: optional(group({ email: required(text) })),
      payment_intent: optional(text),
      payment_link: optional(text),
      status: optional(oneOf('complete', 'expired', 'open')),
      subscription: optional(text),
    },
    (world, params) =>
      pageOf(world.store, 'checkout.session', params, {
        url: '/v1/checkout/sessions',
        by: firstBy(params, ['payment_intent', 'subscription', 'customer']),
        keep: (session) =>
          (params.customer === undefined || session.customer === params.customer) &&
          (params.customer_details === undefined ||
            session.customer_details?.email === params.customer_details.email) &&
          (params.payment_intent === undefined || session.payment_intent === params.payment_intent) &&
          (params.payment_link === undefined || session.payment_link === params.payment_link) &&
          (params.status === undefined || session.status === params.status) &&
          (params.subscription === undefined || session.subscription === params.subscription) &&
          (params.created?.(session.created) ?? true),
      }),
  ),
  route('GET', '/checkout/sessions/:id', {}, (world, _params, id) => world.need('checkout.session', id)),
  route('POST', '/checkout/sessions/:id', { metadata: optional(metadata) }, (world, params, id) => {
    const session = world.need('checkout.session', id);
    session.metadata = mergeMetadata(session.metadata, params.metadata);
    return session;
  }),
  route('GET', '/checkout/sessions/:id/line_items', listShape, (world, params, id) =>
    pageOfNested(world.need('checkout.session', id).$.lines, params, `/v1/checkout/sessions/${id}/line_items`),
  ),
  route('POST', '/checkout/sessions/:id/expire', {}, (world, _params, id) => {
    const session = world.need('checkout.session', id);
    if (session.status !== 'open') {
      throw invalidRequest(
        `Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of "${session.status}".`,
      );
    }
    expireSession(world, session);
    return session;
  }),
];
