import { money } from '../billing/amounts.ts';
import { invoiceOf } from '../billing/invoices.ts';
import { attempt } from '../billing/payments.ts';
import { collect } from '../billing/settlement.ts';
import { change } from '../events.ts';
import type { PaymentIntent, PaymentMethod } from '../model.ts';
import { answerSetup } from '../resources/confirm-setup.ts';
import type { World } from '../world.ts';
import { authenticationPage } from './authentication-view.ts';
import { type PageRequest, type PageResponse, page } from './http.ts';
import { messagePage } from './layout.ts';

/** `/authenticate/pi_…` or `seti_…`: where `next_action` sends a customer whose bank wants to be asked. */
export const AUTHENTICATION_PATH = /^\/authenticate\/((?:pi|seti)_[A-Za-z0-9_]+)$/;

/** The bank's question about a payment that was tried over the API, and what its answer does. */
export function handleAuthentication(world: World, request: PageRequest, intentId: string): PageResponse {
  if (intentId.startsWith('seti_')) return handleSetup(world, request, intentId);
  const intent = world.store.get('payment_intent', intentId);
  const method = intent?.payment_method && world.store.get('payment_method', intent.payment_method);
  if (intent === undefined) return page(messagePage('No such payment', 'The address leads to no payment.'), 404);
  if (intent.status !== 'requires_action' || !method) {
    return page(messagePage('Nothing to confirm', 'The bank does not ask about this payment any more.'), 410);
  }
  if (request.method === 'GET') {
    const amount = money(intent.amount, intent.currency);
    return page(authenticationPage(`/authenticate/${intent.id}`, lastFour(method), amount, {}));
  }
  const confirmed = new URLSearchParams(request.body).get('authentication') === 'succeeded';
  return world.inTimeOf(intent.customer, () => (confirmed ? confirm(world, intent, method) : refuse(world, intent)));
}

function lastFour(method: PaymentMethod): string {
  return method.card?.last4 ?? method.sepa_debit?.last4 ?? '';
}

function confirm(world: World, intent: PaymentIntent, method: PaymentMethod): PageResponse {
  method.$.authenticated = true;
  const invoice = invoiceOf(world, intent);
  if (invoice?.status === 'open') collect(world, invoice, method, true);
  else attempt(world, intent, method, true);
  const error = world.need('payment_intent', intent.id).last_payment_error;
  return error === null
    ? page(messagePage('Confirmed', 'The payment goes on. You can close the page.'))
    : page(messagePage('Not paid', error.message), 402);
}

function refuse(world: World, intent: PaymentIntent): PageResponse {
  const code = 'payment_intent_authentication_failure';
  change(world, intent, 'payment_intent.payment_failed', () => {
    intent.status = 'requires_payment_method';
    intent.payment_method = null;
    intent.next_action = null;
    intent.last_payment_error = {
      code,
      doc_url: `https://stripe.com/docs/error-codes/${code.replaceAll('_', '-')}`,
      message: 'The provided PaymentMethod has failed authentication.',
      type: 'card_error',
    };
  });
  return page(messagePage('Refused', 'The payment was not made. You can close the page.'));
}

/** The bank's question about a card that is only set up: nothing is paid yet. */
function handleSetup(world: World, request: PageRequest, intentId: string): PageResponse {
  const intent = world.store.get('setup_intent', intentId);
  const method = intent?.payment_method && world.store.get('payment_method', intent.payment_method);
  if (intent === undefined) return page(messagePage('No such setup', 'The address leads to no setup.'), 404);
  if (intent.status !== 'requires_action' || !method) {
    return page(messagePage('Nothing to confirm', 'The bank does not ask about this card any more.'), 410);
  }
  if (request.method === 'GET') {
    return page(authenticationPage(`/authenticate/${intent.id}`, lastFour(method), null, {}));
  }
  const confirmed = new URLSearchParams(request.body).get('authentication') === 'succeeded';
  world.inTimeOf(intent.customer, () => answerSetup(world, intent, confirmed));
  return confirmed
    ? page(messagePage('Confirmed', 'The card is set up. You can close the page.'))
    : page(messagePage('Refused', 'The card was not set up. You can close the page.'));
}
