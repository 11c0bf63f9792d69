import { emit } from '../events.ts';
import { bare } from '../expand.ts';
import type { Charge, Metadata, PaymentError, PaymentIntent, PaymentMethod, Shipping } from '../model.ts';
import { openDispute } from '../resources/disputes.ts';
import type { World } from '../world.ts';
import { book } from './balance.ts';
import { holdCharge, releaseHold } from './capture.ts';
import { behaviourOf, declineWords } from './cards.ts';
import { makeCharge } from './make-charge.ts';

/** How long a debit from a bank account is under way. */
const SETTLEMENT_SECONDS = 3 * 86_400;

/** What a payment is opened with. Amounts are in the currency's smallest unit. */
export interface IntentDraft {
  amount: number;
  currency: string;
  customer: string | null;
  metadata?: Metadata;
  description?: string | null;
  receiptEmail?: string | null;
  setupFutureUsage?: 'off_session' | 'on_session' | null;
  statementDescriptor?: string | null;
  transferGroup?: string | null;
  shipping?: Shipping | null;
}

/** Opens a payment that nobody has tried to pay yet. */
export function openIntent(world: World, draft: IntentDraft): PaymentIntent {
  const id = world.ids.make('pi_');
  const intent = world.store.insert('payment_intent', {
    id,
    object: 'payment_intent',
    allowed_payment_method_types: null,
    amount: draft.amount,
    amount_capturable: 0,
    amount_details: { tip: {} },
    amount_received: 0,
    application: null,
    application_fee_amount: null,
    automatic_payment_methods: null,
    canceled_at: null,
    cancellation_reason: null,
    capture_method: 'automatic_async',
    client_secret: `${id}_secret_${world.ids.random.token(25)}`,
    confirmation_method: 'automatic',
    created: world.clock.now(),
    currency: draft.currency,
    customer: draft.customer,
    customer_account: null,
    description: draft.description ?? null,
    excluded_payment_method_types: null,
    last_payment_error: null,
    latest_charge: null,
    livemode: false,
    managed_payments: { enabled: false },
    metadata: draft.metadata ?? {},
    next_action: null,
    on_behalf_of: null,
    payment_method: null,
    payment_method_configuration_details: null,
    payment_method_options: {},
    payment_method_types: ['card'],
    payment_record: null,
    processing: null,
    receipt_email: draft.receiptEmail ?? null,
    review: null,
    setup_future_usage: draft.setupFutureUsage ?? null,
    shipping: draft.shipping ?? null,
    source: null,
    statement_descriptor: draft.statementDescriptor ?? null,
    statement_descriptor_suffix: null,
    status: 'requires_payment_method',
    transfer_data: null,
    transfer_group: draft.transferGroup ?? null,
  });
  emit(world, 'payment_intent.created', intent);
  return intent;
}

/** How an attempt to pay ended. `processing`: it settles or fails days later. */
export type PaymentOutcome =
  | { status: 'paid'; charge: Charge }
  | { status: 'processing'; charge: Charge }
  /** The money is held until it is captured. */
  | { status: 'held'; charge: Charge }
  | { status: 'requires_action' }
  | { status: 'failed'; error: PaymentError; declineCode: string };

/** Takes the failure that was planned for this customer, or for whoever pays next. */
function takePlannedFailure(world: World, customer: string | null): string | null {
  const index = world.plannedFailures.findIndex((plan) => plan.customer === null || plan.customer === customer);
  const [plan] = index < 0 ? [] : world.plannedFailures.splice(index, 1);
  return plan?.declineCode ?? null;
}

/**
 * Why a payment with this method would be refused, or null. A failure that was planned for it is used up.
 *
 * @param onSession whether the customer is there; some cards pay only then
 */
export function declineOf(
  world: World,
  customer: string | null,
  method: PaymentMethod,
  onSession: boolean,
): string | null {
  const behaviour = behaviourOf(method.$.number);
  return takePlannedFailure(world, customer) ?? (onSession ? behaviour.declines : behaviour.declinesLater);
}

/**
 * Tries to pay with a payment method.
 *
 * @param onSession whether the customer is there; some cards pay only then
 */
export function attempt(
  world: World,
  intent: PaymentIntent,
  method: PaymentMethod,
  onSession: boolean,
): PaymentOutcome {
  const behaviour = behaviourOf(method.$.number);
  intent.next_action = null;
  if (!intent.payment_method_types.includes(method.type)) intent.payment_method_types = [method.type];
  if (needsAuthentication(method)) {
    intent.status = 'requires_action';
    intent.payment_method = method.id;
    intent.next_action = {
      redirect_to_url: { return_url: null, url: `${world.baseUrl}/authenticate/${intent.id}` },
      type: 'redirect_to_url',
    };
    emit(world, 'payment_intent.requires_action', intent);
    return { status: 'requires_action' };
  }
  if (behaviour.asksAgain === true) method.$.authenticated = false;
  const declineCode = declineOf(world, intent.customer, method, onSession);
  const charge = makeCharge(world, intent, method, declineCode);
  intent.latest_charge = charge.id;
  if (declineCode !== null)
    return { status: 'failed', declineCode, error: fail(world, intent, charge, method, declineCode) };
  intent.payment_method = method.id;
  intent.last_payment_error = null;
  if (behaviour.settles !== undefined) {
    charge.status = 'pending';
    charge.paid = false;
    intent.status = 'processing';
    emit(world, 'charge.pending', charge);
    emit(world, 'payment_intent.processing', intent);
    world.remind(
      { at: world.clock.now() + SETTLEMENT_SECONDS, kind: 'payment_intent', id: intent.id },
      clockOf(world, intent),
    );
    return { status: 'processing', charge };
  }
  if (intent.capture_method === 'manual') {
    holdCharge(world, intent, charge);
    return { status: 'held', charge };
  }
  succeed(world, intent, charge);
  if (behaviour.disputes !== undefined) openDispute(world, charge, behaviour.disputes);
  return { status: 'paid', charge };
}

function clockOf(world: World, intent: PaymentIntent): string | null {
  return intent.customer === null ? null : (world.store.get('customer', intent.customer)?.test_clock ?? null);
}

function succeed(world: World, intent: PaymentIntent, charge: Charge): void {
  intent.status = 'succeeded';
  intent.amount_received = intent.amount;
  const { amount, currency, id } = charge;
  charge.balance_transaction = book(world, { amount, currency, source: id, type: 'charge' });
  emit(world, 'charge.succeeded', charge);
  emit(world, 'payment_intent.succeeded', intent);
}

function fail(
  world: World,
  intent: PaymentIntent,
  charge: Charge,
  method: PaymentMethod,
  declineCode: string,
): PaymentError {
  const error = declined(charge, method, declineCode);
  intent.status = 'requires_payment_method';
  intent.payment_method = null;
  intent.last_payment_error = error;
  emit(world, 'charge.failed', charge);
  emit(world, 'payment_intent.payment_failed', intent);
  return error;
}

/** How a payment that was under way ended; as its method says, unless somebody decides otherwise. */
export function settleIntent(world: World, intent: PaymentIntent, ending?: 'fails' | 'succeeds'): PaymentOutcome {
  const charge = world.need('charge', intent.latest_charge ?? '');
  const method = world.need('payment_method', intent.payment_method ?? '');
  if ((ending ?? behaviourOf(method.$.number).settles) !== 'fails') {
    charge.status = 'succeeded';
    charge.paid = true;
    succeed(world, intent, charge);
    return { status: 'paid', charge };
  }
  const declineCode = 'insufficient_funds';
  const { code } = declineWords(declineCode);
  Object.assign(charge, {
    amount_captured: 0,
    balance_transaction: null,
    captured: false,
    failure_code: code,
    failure_message: 'The payment was returned by the bank.',
    status: 'failed',
  });
  return { status: 'failed', declineCode, error: fail(world, intent, charge, method, declineCode) };
}

function declined(charge: Charge, method: PaymentMethod, declineCode: string): PaymentError {
  const { code, message } = declineWords(declineCode);
  return {
    charge: charge.id,
    code,
    decline_code: declineCode,
    doc_url: `https://stripe.com/docs/error-codes/${code.replaceAll('_', '-')}`,
    message,
    payment_method: bare(method),
    type: 'card_error',
  };
}

/** Gives up a payment that has not gone through. */
export function cancelIntent(world: World, intent: PaymentIntent, reason: string | null): void {
  if (intent.status === 'succeeded' || intent.status === 'canceled') return;
  if (intent.status === 'requires_capture') releaseHold(world, intent);
  intent.status = 'canceled';
  intent.canceled_at = world.clock.now();
  intent.cancellation_reason = reason;
  intent.next_action = null;
  emit(world, 'payment_intent.canceled', intent);
}

/** Whether the customer has yet to confirm this method with their bank. */
export function needsAuthentication(method: PaymentMethod): boolean {
  return behaviourOf(method.$.number).authenticates === true && !method.$.authenticated;
}
