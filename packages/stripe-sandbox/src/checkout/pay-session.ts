import { behaviourOf, declineWords, isCardNumber, isIban } from '../billing/cards.ts';
import { type Redemption, redeem, redemptionOf } from '../billing/discounts.ts';
import { attempt, declineOf, needsAuthentication, openIntent } from '../billing/payments.ts';
import { subscribe } from '../billing/subscribe.ts';
import { invalidRequest } from '../errors.ts';
import { change, emit } from '../events.ts';
import type { CheckoutSession, Customer, PaymentMethod } from '../model.ts';
import { createCustomer } from '../resources/customers.ts';
import { createBankDebit, createCard } from '../resources/make-payment-method.ts';
import { giveMethod } from '../resources/payment-methods.ts';
import { createSetupIntent } from '../resources/setup-intents.ts';
import type { World } from '../world.ts';
import { oneTimeInvoice } from './one-time-invoice.ts';
import { countCompleted } from './payment-links.ts';
import { applyCode } from './promotion.ts';

/** What somebody fills into the pay form. */
export interface CheckoutPayment {
  /** A test card's digits (blanks are taken out), or an IBAN for a debit that settles days later. */
  cardNumber: string;
  /** When the card ends; left out, years from now. */
  expiry?: { month: number; year: number } | undefined;
  /** A payment method that was made before, in place of a number. */
  method?: PaymentMethod | undefined;
  /** Needed when the session names no customer; left out, one is made up. */
  email?: string | undefined;
  name?: string | undefined;
  /** A promotion code, where the session allows them. */
  promotionCode?: string | undefined;
  /** Whether the customer has confirmed the payment with their bank; some cards ask for that. */
  authenticated?: boolean | undefined;
}

/** How the form goes on. */
export type CheckoutResult =
  | { ok: true; redirectUrl: string }
  /** `authentication_required`: show the bank's question, and pay once more with `authenticated`. */
  | { ok: false; message: string; declineCode: string };

function refused(declineCode: string): CheckoutResult {
  return { ok: false, message: declineWords(declineCode).message, declineCode };
}

function successUrl(session: CheckoutSession): string {
  return (session.success_url ?? '').replaceAll('{CHECKOUT_SESSION_ID}', session.id);
}

function emailOf(world: World, session: CheckoutSession, payment: CheckoutPayment): string | null {
  const customer = session.customer === null ? undefined : world.store.get('customer', session.customer);
  return customer?.email ?? session.customer_email ?? payment.email ?? 'buyer@example.com';
}

/** The session's customer; for a subscription, and where it was asked for, one is made. */
function customerOf(world: World, session: CheckoutSession, payment: CheckoutPayment): Customer | null {
  if (session.customer !== null) return world.need('customer', session.customer);
  const needed = session.customer_creation === 'always' || session.$.payment.setupFutureUsage !== null;
  if (!needed) return null;
  return createCustomer(world, { email: emailOf(world, session, payment), name: payment.name ?? null });
}

function redemptionsOf(world: World, session: CheckoutSession): Redemption[] {
  return session.discounts.map((discount, index) =>
    redemptionOf(
      world,
      { coupon: discount.coupon ?? undefined, promotion_code: discount.promotion_code ?? undefined },
      `discounts[${index}]`,
    ),
  );
}

function subscribeFor(world: World, session: CheckoutSession, customer: Customer, method: PaymentMethod | null): void {
  const { subscription: data, lines } = session.$;
  const now = world.clock.now();
  const trialEnd = data.trialEnd ?? (data.trialDays === null ? null : now + data.trialDays * 86_400);
  const { subscription, outcome } = subscribe(world, {
    customer,
    items: lines
      .filter(({ price }) => price.recurring !== null)
      .map(({ price, quantity }) => ({
        price,
        quantity: price.recurring?.usage_type === 'metered' ? null : quantity,
        metadata: {},
      })),
    extras: lines.filter(({ price }) => price.recurring === null).map(({ price, quantity }) => ({ price, quantity })),
    metadata: { ...data.metadata },
    description: data.description,
    trialEnd,
    missingPaymentMethod: data.missingPaymentMethod,
    anchor: data.anchor,
    prorate: data.prorate,
    defaultPaymentMethod: method?.id ?? null,
    redemptions: redemptionsOf(world, session),
    checkoutSession: session.id,
    onSession: true,
  });
  session.subscription = subscription.id;
  session.invoice = subscription.latest_invoice;
  if (session.payment_status === 'unpaid' && outcome?.status !== 'processing') session.payment_status = 'paid';
}

function payFor(
  world: World,
  session: CheckoutSession,
  customer: Customer | null,
  method: PaymentMethod,
): CheckoutResult | null {
  const data = session.$.payment;
  const existing = session.payment_intent && world.store.get('payment_intent', session.payment_intent);
  const intent =
    existing ||
    openIntent(world, {
      amount: session.amount_total ?? 0,
      currency: session.currency ?? 'usd',
      customer: customer?.id ?? null,
      ...data,
      metadata: { ...data.metadata },
    });
  session.payment_intent = intent.id;
  const outcome = attempt(world, intent, method, true);
  if (outcome.status === 'failed') return refused(outcome.declineCode);
  if (outcome.status === 'paid') session.payment_status = 'paid';
  for (const redemption of redemptionsOf(world, session)) {
    redeem(world, redemption, { customer, subscription: null, checkoutSession: session.id });
  }
  if (session.invoice_creation?.enabled && customer !== null && outcome.status === 'paid') {
    session.invoice = oneTimeInvoice(world, session, customer, intent).id;
  }
  return null;
}

function setUp(world: World, session: CheckoutSession, customer: Customer | null, method: PaymentMethod): void {
  const intent = createSetupIntent(world, {
    customer: customer?.id ?? null,
    metadata: { ...session.$.setup.metadata },
    description: session.$.setup.description,
    paymentMethod: method.id,
  });
  session.setup_intent = intent.id;
}

function complete(world: World, session: CheckoutSession, customer: Customer | null, payment: CheckoutPayment): void {
  session.status = 'complete';
  session.url = null;
  session.customer = customer?.id ?? null;
  session.customer_details = {
    address: customer?.address ?? null,
    business_name: null,
    email: emailOf(world, session, payment),
    individual_name: null,
    name: customer?.name ?? payment.name ?? null,
    phone: customer?.phone ?? null,
    tax_exempt: 'none',
    tax_ids: [],
  };
  countCompleted(world, session);
  emit(world, 'checkout.session.completed', session);
}

/** Whether a payment method has to be given: not when nothing is due and the session does not insist. */
export function needsMethod(session: CheckoutSession): boolean {
  if (session.mode === 'payment') return (session.amount_total ?? 0) > 0;
  return session.payment_method_collection === 'always' || (session.amount_total ?? 0) > 0;
}

/**
 * Pays an open checkout session, as its hosted page does: on success everything that it is for comes to be, with its
 * events. Something refused leaves the session open, to be tried again.
 *
 * @throws StripeError when the session is not open, or the number is no card's and no bank account's
 */
export function payCheckoutSession(world: World, session: CheckoutSession, payment: CheckoutPayment): CheckoutResult {
  if (session.status !== 'open' || session.expires_at <= world.clock.now()) {
    throw invalidRequest(`This Checkout Session is ${session.status === 'open' ? 'expired' : session.status}.`);
  }
  return world.inTimeOf(session.customer, () => {
    if (payment.promotionCode !== undefined && !applyCode(world, session, payment.promotionCode)) {
      return { ok: false, message: 'This code is not valid.', declineCode: 'invalid_promotion_code' };
    }
    if (!needsMethod(session)) return finish(world, session, payment, null);
    const number = payment.method?.$.number ?? payment.cardNumber.replace(/[\s-]/g, '').toUpperCase();
    const debit = isIban(number);
    const accepted = debit ? session.payment_method_types.includes('sepa_debit') : isCardNumber(number);
    if (!accepted) {
      return { ok: false, message: 'Your card number is incorrect.', declineCode: 'incorrect_number' };
    }
    const payer = { email: emailOf(world, session, payment), name: payment.name };
    const probe = behaviourOf(number);
    if (probe.authenticates === true && payment.authenticated !== true) return refused('authentication_required');
    const made = () =>
      debit ? createBankDebit(world, number, payer) : createCard(world, number, payer, payment.expiry);
    const method = payment.method ?? made();
    method.$.authenticated = !needsAuthentication(method) || payment.authenticated === true;
    return finish(world, session, payment, method);
  });
}

/** Pays, and files the session under what came of it. */
function finish(
  world: World,
  session: CheckoutSession,
  payment: CheckoutPayment,
  method: PaymentMethod | null,
): CheckoutResult {
  return world.store.rekey('checkout.session', session, () => carryOut(world, session, payment, method));
}

function carryOut(
  world: World,
  session: CheckoutSession,
  payment: CheckoutPayment,
  method: PaymentMethod | null,
): CheckoutResult {
  // A one-time payment makes its attempt for all to see; the others ask first, so that a refusal leaves nothing behind.
  if (session.mode !== 'payment' && method !== null) {
    const declineCode = declineOf(world, session.customer, method, true);
    if (declineCode !== null) return refused(declineCode);
  }
  if (session.mode === 'payment') {
    const customer = customerOf(world, session, payment);
    if (customer !== null) session.customer = customer.id;
    const refusal = method === null ? null : payFor(world, session, customer, method);
    if (refusal !== null) return refusal;
    if (customer !== null && method !== null && session.$.payment.setupFutureUsage !== null) {
      giveMethod(world, method, customer);
    }
    complete(world, session, customer, payment);
    return { ok: true, redirectUrl: successUrl(session) };
  }
  const customer = customerOf(world, session, payment);
  if (customer !== null && method !== null) giveMethod(world, method, customer);
  if (session.mode === 'subscription' && customer !== null) subscribeFor(world, session, customer, method);
  if (session.mode === 'setup' && method !== null) setUp(world, session, customer, method);
  complete(world, session, customer, payment);
  return { ok: true, redirectUrl: successUrl(session) };
}

/** The customer goes back without paying. @returns where to; null when the session says nothing. The session stays open. */
export function leaveCheckout(_world: World, session: CheckoutSession): string | null {
  return session.cancel_url?.replaceAll('{CHECKOUT_SESSION_ID}', session.id) ?? null;
}

/** Expires an open session. */
export function expireSession(world: World, session: CheckoutSession): void {
  change(world, session, 'checkout.session.expired', () => {
    session.status = 'expired';
    session.url = null;
  });
}

/** A payment that was under way when its session completed has ended. */
export function settleSession(world: World, session: CheckoutSession, paid: boolean): void {
  if (session.status !== 'complete' || session.payment_status !== 'unpaid') return;
  if (paid) session.payment_status = 'paid';
  emit(world, `checkout.session.async_payment_${paid ? 'succeeded' : 'failed'}`, session);
}
