import { payCheckoutSession } from '../checkout/pay-session.ts';
import { cardError, invalidRequest } from '../errors.ts';
import { ignored, integer, optional, required, text } from '../params.ts';
import { route } from '../routes.ts';

/** What Stripe's own checkout page asks for. It is not part of the public API; the Stripe CLI uses it to pay. */
export const paymentPageRoutes = [
  route('GET', '/payment_pages/:id', {}, (world, _params, id) => world.need('checkout.session', id)),
  route(
    'POST',
    '/payment_pages/:id/confirm',
    { expected_amount: optional(integer), key: optional(ignored), payment_method: required(text) },
    (world, params, id) => {
      const session = world.need('checkout.session', id);
      const method = world.need('payment_method', params.payment_method, 'payment_method');
      if (params.expected_amount !== undefined && params.expected_amount !== (session.amount_total ?? 0)) {
        throw invalidRequest('The amount expected does not match the amount of the session.', {
          param: 'expected_amount',
        });
      }
      const { email, name } = method.billing_details;
      const result = payCheckoutSession(world, session, {
        cardNumber: '',
        method,
        email: email ?? undefined,
        name: name ?? undefined,
      });
      if (!result.ok) throw cardError(result.message, { code: 'card_declined', decline_code: result.declineCode });
      return session;
    },
  ),
];
