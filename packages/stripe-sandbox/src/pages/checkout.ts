import { money } from '../billing/amounts.ts';
import { isCardNumber, isIban } from '../billing/cards.ts';
import { adjustQuantities } from '../checkout/adjust-quantity.ts';
import { applyCode } from '../checkout/promotion.ts';
import type { CheckoutSession } from '../model.ts';
import { leaveCheckout, needsMethod, payCheckoutSession } from '../resources/checkout-sessions.ts';
import type { World } from '../world.ts';
import { authenticationPage } from './authentication-view.ts';
import { type CheckoutForm, checkoutPage, knownEmail } from './checkout-view.ts';
import type { Html } from './html.ts';
import { type PageRequest, type PageResponse, page, seeOther } from './http.ts';
import { messagePage } from './layout.ts';
import { FILLED_IN, grouped, readCard } from './test-cards.ts';

/** `/c/pay/cs_…` shows the form, `/c/pay/cs_…/pay` takes it. */
export const CHECKOUT_PATH = /^\/c\/pay\/(cs_[A-Za-z0-9_]+)(\/pay)?$/;

const NONE_TYPED = { typed: new Map<string, string>(), errors: new Map<string, string>() };

/** The hosted checkout of one session. */
export function handleCheckout(world: World, request: PageRequest, sessionId: string, pays: boolean): PageResponse {
  const session = world.store.get('checkout.session', sessionId);
  if (session === undefined) {
    return page(messagePage('No such checkout', 'The address leads to no checkout of this sandbox.'), 404);
  }
  return world.inTimeOf(session.customer, () => {
    const over = whyOver(world, session);
    if (over !== null) return over;
    const payUrl = `/c/pay/${session.id}/pay`;
    const empty: CheckoutForm = {
      email: '',
      card: FILLED_IN,
      promotionCode: '',
      quantities: NONE_TYPED,
      refusal: null,
    };
    if (request.method === 'GET') {
      return pays ? seeOther(`/c/pay/${session.id}`) : page(checkoutPage(world, session, payUrl, empty));
    }
    return pay(world, session, payUrl, new URLSearchParams(request.body));
  });
}

function whyOver(world: World, session: CheckoutSession): PageResponse | null {
  if (session.status === 'complete') {
    return page(messagePage('Already paid', 'This checkout is complete. You can close the page.'), 410);
  }
  if (session.status === 'open' && session.expires_at > world.clock.now()) return null;
  const back = leaveCheckout(world, session);
  const link = back === null ? null : { href: back, text: 'Back to the shop' };
  return page(messagePage('This checkout has expired', 'Go back to the shop and begin again.', link), 410);
}

function pay(world: World, session: CheckoutSession, payUrl: string, sent: URLSearchParams): PageResponse {
  const form = readForm(world, session, sent);
  const show = (status: number) => page(checkoutPage(world, session, payUrl, form), status);
  if (sent.has('fill')) return show(200);
  // Whoever only updates the order is not told what the rest of the form lacks.
  const updates = sent.has('apply') || sent.has('adjust');
  if (updates) {
    form.card.errors = {};
    form.emailError = undefined;
  }
  const { typed } = form.quantities;
  const adjusted = adjustQuantities(world, session, typed);
  form.quantities = adjusted.errors.size > 0 ? { typed, errors: adjusted.errors } : NONE_TYPED;
  if (adjusted.errors.size > 0) return show(400);
  if (form.promotionCode !== '' && !applyCode(world, session, form.promotionCode)) {
    form.promotionError = 'This code is not valid. Correct it, or leave the field empty.';
    return show(400);
  }
  if (updates) return show(200);
  if (adjusted.changed) {
    form.refusal = 'The quantity has changed, and so has the total. Nothing was paid yet: look at it, then pay.';
    return show(409);
  }
  if (form.emailError !== undefined || Object.keys(form.card.errors).length > 0) return show(400);
  if (sent.get('authentication') === 'failed') {
    form.refusal = 'Your bank could not confirm the payment. Try again, or use another card.';
    return show(402);
  }
  const result = payCheckoutSession(world, session, {
    cardNumber: form.card.number,
    expiry: form.card.ends,
    email: form.email === '' ? undefined : form.email,
    authenticated: sent.get('authentication') === 'succeeded',
  });
  if (result.ok) return seeOther(result.redirectUrl);
  if (result.declineCode === 'authentication_required') return page(askBank(session, payUrl, form));
  form.refusal = result.message;
  return show(402);
}

/** The bank's question, with all that was typed, so that the answer pays. */
function askBank(session: CheckoutSession, payUrl: string, form: CheckoutForm): Html {
  const { number, expiry, cvc } = form.card;
  const fields = { email: form.email, promotion_code: form.promotionCode, card_number: number, expiry, cvc };
  const amount = session.amount_total === null ? null : money(session.amount_total, session.currency ?? 'usd');
  return authenticationPage(payUrl, number.slice(-4), amount, fields);
}

/** What was sent, with what is wrong with it. A field that was not sent at all is none that somebody left empty. */
function readForm(world: World, session: CheckoutSession, sent: URLSearchParams): CheckoutForm {
  const chosen = sent.get('fill');
  const email = (sent.get('email') ?? '').trim();
  const card = readCard(sent, isNumber, world.clock.now());
  const promotionCode = session.allow_promotion_codes === true ? (sent.get('promotion_code') ?? '').trim() : '';
  const quantities = { typed: typedQuantities(sent), errors: NONE_TYPED.errors };
  const form: CheckoutForm = { email, card, promotionCode, quantities, refusal: null };
  if (chosen !== null) return { ...form, card: { ...card, number: grouped(chosen), errors: {} } };
  if (!needsMethod(session)) card.errors = {};
  const wrong = sent.has('email') && knownEmail(world, session) === null && !/^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(email);
  return wrong ? { ...form, emailError: 'Give your e-mail address.' } : form;
}

/** The fields `quantity.li_…`, by the line's id. */
function typedQuantities(sent: URLSearchParams): Map<string, string> {
  const prefix = 'quantity.';
  return new Map(
    [...sent].flatMap(([name, value]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [])),
  );
}

function isNumber(text: string): boolean {
  return isCardNumber(text) || isIban(text.toUpperCase());
}
