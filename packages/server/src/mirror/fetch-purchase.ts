import type { StripeConnection } from '../stripe/connections.ts';
import { isMissing } from '../stripe/refusal.ts';
import { chargeOf, fetchMoneyBack, type MoneyBack } from './fetch-money-back.ts';
import { fetchPayments } from './fetch-payments.ts';
import { idOrNull, parseShape } from './parse-shape.ts';
import { type ChargeShape, LineItemShape, PaymentIntentShape, SessionShape } from './shapes.ts';

/** A payment intent, and the checkout session that it pays for. */
export interface FetchedPayment {
  intent: PaymentIntentShape;
  session: SessionShape | null;
}

/** A one-off purchase with everything that its fact is made of. */
export interface FetchedPurchase extends MoneyBack {
  session: SessionShape;
  /** What was bought once and for all; a subscription's own lines are not among them. */
  lines: readonly LineItemShape[];
  /** Of a subscription's session, that of its first invoice. Null when nothing had to be paid. */
  intent: PaymentIntentShape | null;
  /** The latest attempt to pay; null before the first. */
  charge: ChargeShape | null;
}

/**
 * A one-off purchase by its payment intent or its checkout session.
 * @returns null when Stripe has no such object, or nothing was sold with it but a subscription
 */
export async function fetchPurchase(
  connection: StripeConnection,
  by: { paymentIntentId: string } | { sessionId: string },
): Promise<FetchedPurchase | null> {
  if ('sessionId' in by) {
    const session = await fetchSession(connection, by.sessionId);
    return session === null ? null : await purchaseOfSession(connection, session);
  }
  const payment = await fetchPayment(connection, by.paymentIntentId);
  return payment === null ? null : await purchaseOfPayment(connection, payment);
}

/** @returns null when Stripe has no such session */
export async function fetchSession({ client }: StripeConnection, id: string): Promise<SessionShape | null> {
  try {
    const session = await client.checkout.sessions.retrieve(id, { expand: ['customer'] });
    return parseShape(SessionShape, session, 'checkout session');
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** @returns null when Stripe has no such payment intent */
export async function fetchPayment(connection: StripeConnection, id: string): Promise<FetchedPayment | null> {
  const intent = await fetchIntent(connection, id);
  if (intent === null) return null;
  const { client } = connection;
  const expand = ['data.customer'];
  const [session] = (await client.checkout.sessions.list({ payment_intent: id, limit: 1, expand })).data;
  return { intent, session: session === undefined ? null : parseShape(SessionShape, session, 'checkout session') };
}

/** @returns null when the payment belongs to no one-off session */
export async function purchaseOfPayment(
  connection: StripeConnection,
  { intent, session }: FetchedPayment,
): Promise<FetchedPurchase | null> {
  if (session === null || session.mode !== 'payment') return null;
  return await complete(connection, session, intent, await fetchLines(connection, session.id));
}

/**
 * What a session sold once and for all: everything in a one-off session, and what stood beside the subscription in a
 * subscription's, which its first invoice charges.
 * @returns null when that is nothing
 */
export async function purchaseOfSession(
  connection: StripeConnection,
  session: SessionShape,
): Promise<FetchedPurchase | null> {
  if (session.mode !== 'payment' && session.mode !== 'subscription') return null;
  const lines = await fetchLines(connection, session.id);
  if (session.mode === 'payment') {
    return await complete(connection, session, await fetchIntent(connection, idOrNull(session.payment_intent)), lines);
  }
  const beside = lines.filter(({ price }) => price !== null && (price.recurring ?? null) === null);
  if (beside.length === 0) return null;
  const intentId = await intentOfInvoice(connection, idOrNull(session.invoice));
  return await complete(connection, session, await fetchIntent(connection, intentId), beside);
}

/** The payment intent that pays an invoice, or is to; null when it takes none. */
async function intentOfInvoice(connection: StripeConnection, invoice: string | null): Promise<string | null> {
  if (invoice === null) return null;
  const payments = await fetchPayments(connection, invoice);
  const chosen = payments.find(({ status }) => status === 'paid') ?? payments.find(({ status }) => status === 'open');
  return idOrNull(chosen?.payment.payment_intent);
}

async function fetchIntent({ client }: StripeConnection, id: string | null): Promise<PaymentIntentShape | null> {
  if (id === null) return null;
  try {
    const intent = await client.paymentIntents.retrieve(id, { expand: ['latest_charge', 'customer'] });
    return parseShape(PaymentIntentShape, intent, 'payment intent');
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

async function fetchLines({ client }: StripeConnection, session: string): Promise<LineItemShape[]> {
  const lines: LineItemShape[] = [];
  for await (const line of client.checkout.sessions.listLineItems(session, { limit: 100 })) {
    lines.push(parseShape(LineItemShape, line, 'line item'));
  }
  return lines;
}

async function complete(
  connection: StripeConnection,
  session: SessionShape,
  intent: PaymentIntentShape | null,
  lines: readonly LineItemShape[],
): Promise<FetchedPurchase> {
  if (intent === null) return { session, lines, intent, charge: null, refunds: [], disputes: [] };
  return { session, lines, intent, charge: chargeOf(intent), ...(await fetchMoneyBack(connection, intent.id)) };
}
