import { change, emit } from '../events.ts';
import type {
  Invoice,
  InvoicePayment,
  PaymentIntent,
  PaymentMethod,
  Subscription,
  UncollectibleReason,
} from '../model.ts';
import type { World } from '../world.ts';
import { noteBalance } from './customer-balance.ts';
import { remindOf } from './draft-invoice.ts';
import { attempt, cancelIntent, openIntent, type PaymentOutcome } from './payments.ts';

/** What an invoice's payment is described as. */
const PAYMENT_WORDS: Partial<Record<Invoice['billing_reason'], string>> = {
  subscription_create: 'Subscription creation',
  subscription_cycle: 'Subscription update',
  subscription_update: 'Subscription update',
};

/** The payments that were made or are open for an invoice, oldest first. */
export function paymentsOf(world: World, invoice: Invoice): readonly InvoicePayment[] {
  return world.store.all('invoice_payment', { key: 'invoice', value: invoice.id });
}

function defaultPayment(
  world: World,
  invoice: Invoice,
): { payment: InvoicePayment; intent: PaymentIntent } | undefined {
  const payment = paymentsOf(world, invoice).find((candidate) => candidate.is_default);
  const intent = payment && world.store.get('payment_intent', payment.payment.payment_intent);
  return payment === undefined || intent === undefined ? undefined : { payment, intent };
}

/** The customer's credit that goes into this invoice, and what is then left to pay. */
function applyBalance(world: World, invoice: Invoice): void {
  const customer = world.store.get('customer', invoice.customer);
  const balance = customer?.balance ?? 0;
  const due = Math.max(0, invoice.total + balance);
  const endingBalance = invoice.total + balance - due;
  invoice.starting_balance = balance;
  invoice.ending_balance = endingBalance;
  invoice.amount_due = due;
  invoice.amount_remaining = due;
  if (customer !== undefined) {
    if (endingBalance !== balance) {
      const amount = endingBalance - balance;
      const { currency, id } = invoice;
      noteBalance(world, customer, { amount, endingBalance, currency, type: 'applied_to_invoice', invoice: id });
    }
    customer.next_invoice_sequence += 1;
    change(world, customer, 'customer.updated', () => {
      customer.balance = endingBalance;
      customer.currency ??= invoice.currency;
    });
  }
}

/**
 * Finalizes a draft: it gets a number and a payment to be made. Nothing to pay: it is paid at once.
 *
 * @param made a payment that has been made for it already
 */
export function finalizeInvoice(world: World, invoice: Invoice, made?: PaymentIntent): void {
  const now = world.clock.now();
  const customer = world.store.get('customer', invoice.customer);
  const prefix = customer?.invoice_prefix ?? 'SANDBOX';
  invoice.number = `${prefix}-${String(customer?.next_invoice_sequence ?? 1).padStart(4, '0')}`;
  applyBalance(world, invoice);
  invoice.status = 'open';
  invoice.status_transitions.finalized_at = now;
  invoice.effective_at = now;
  invoice.automatically_finalizes_at = null;
  invoice.next_payment_attempt = null;
  invoice.hosted_invoice_url = `${world.baseUrl}/i/${invoice.id}`;
  invoice.invoice_pdf = `${world.baseUrl}/i/${invoice.id}`;
  if (invoice.collection_method === 'send_invoice') {
    const subscription = subscriptionOf(world, invoice);
    invoice.due_date ??= now + (subscription?.days_until_due ?? 30) * 86_400;
    if (invoice.due_date > now) remindOf(world, invoice, invoice.due_date);
  }
  if (invoice.amount_due === 0) {
    emit(world, 'invoice.finalized', invoice);
    markPaid(world, invoice);
    return;
  }
  const intent =
    made ??
    openIntent(world, {
      amount: invoice.amount_due,
      currency: invoice.currency,
      customer: invoice.customer,
      description: PAYMENT_WORDS[invoice.billing_reason] ?? 'Payment for Invoice',
      setupFutureUsage: 'off_session',
    });
  world.store.insert('invoice_payment', {
    id: world.ids.make('inpay_'),
    object: 'invoice_payment',
    amount_paid: null,
    amount_requested: invoice.amount_due,
    created: now,
    currency: invoice.currency,
    invoice: invoice.id,
    is_default: true,
    livemode: false,
    payment: { payment_intent: intent.id, type: 'payment_intent' },
    status: 'open',
    status_transitions: { canceled_at: null, paid_at: null },
  });
  emit(world, 'invoice.finalized', invoice);
}

export function subscriptionOf(world: World, invoice: Invoice): Subscription | undefined {
  const id = invoice.parent?.subscription_details.subscription;
  return id === undefined ? undefined : world.store.get('subscription', id);
}

function markPaid(world: World, invoice: Invoice): void {
  delete invoice.status_details;
  invoice.status = 'paid';
  invoice.attempted = true;
  invoice.amount_paid = invoice.amount_due;
  invoice.amount_remaining = 0;
  invoice.next_payment_attempt = null;
  invoice.status_transitions.paid_at = world.clock.now();
  const open = defaultPayment(world, invoice);
  if (open !== undefined) {
    open.payment.status = 'paid';
    open.payment.amount_paid = invoice.amount_due;
    open.payment.status_transitions.paid_at = world.clock.now();
  }
  emit(world, 'invoice.paid', invoice);
  emit(world, 'invoice.payment_succeeded', invoice);
  if (open !== undefined) emit(world, 'invoice_payment.paid', open.payment);
}

/** Counts an open invoice as paid by the payment that was made for it before. */
export function linkPayment(world: World, invoice: Invoice): void {
  if (invoice.status === 'open') markPaid(world, invoice);
}

/** Counts an open invoice as paid without taking money, as when it was settled elsewhere. */
export function settleOutside(world: World, invoice: Invoice): void {
  const open = defaultPayment(world, invoice);
  if (open !== undefined) {
    cancelIntent(world, open.intent, 'void_invoice');
    open.payment.is_default = false;
    open.payment.status = 'canceled';
    open.payment.status_transitions.canceled_at = world.clock.now();
  }
  markPaid(world, invoice);
}

/**
 * Tries to collect an open invoice.
 *
 * @param method null when the customer has none, which fails like a decline
 */
export function collectInvoice(
  world: World,
  invoice: Invoice,
  method: PaymentMethod | null,
  onSession: boolean,
): CollectionOutcome {
  const open = defaultPayment(world, invoice);
  if (open === undefined) throw new Error(`The open invoice ${invoice.id} has no payment.`);
  const outcome =
    method === null
      ? ({ status: 'failed', error: null, declineCode: 'missing' } as const)
      : attempt(world, open.intent, method, onSession);
  invoice.attempted = true;
  invoice.attempt_count += 1;
  if (outcome.status === 'paid') {
    markPaid(world, invoice);
  } else if (outcome.status === 'processing') {
    invoice.next_payment_attempt = null;
    emit(world, 'invoice.updated', invoice, { attempted: false });
  } else {
    if (outcome.status === 'requires_action') emit(world, 'invoice.payment_action_required', invoice);
    notePaymentFailure(world, invoice);
  }
  return outcome;
}

/** How collecting an invoice ended; without a payment method it fails without an error of a card. */
export type CollectionOutcome = PaymentOutcome | { status: 'failed'; error: null; declineCode: 'missing' };

function notePaymentFailure(world: World, invoice: Invoice): void {
  invoice.next_payment_attempt = nextAttempt(world, invoice);
  if (invoice.next_payment_attempt !== null) remindOf(world, invoice, invoice.next_payment_attempt);
  emit(world, 'invoice.payment_failed', invoice);
}

/** The invoice that a payment was made for, if any. */
export function invoiceOf(world: World, intent: PaymentIntent): Invoice | undefined {
  const [payment] = world.store.all('invoice_payment', { key: 'payment_intent', value: intent.id });
  return payment && world.store.get('invoice', payment.invoice);
}

/** A payment that had been under way has ended: what that means for its invoice. */
export function settleInvoice(world: World, invoice: Invoice, paid: boolean): void {
  if (invoice.status !== 'open') return;
  if (paid) markPaid(world, invoice);
  else notePaymentFailure(world, invoice);
}

/** When a failed invoice is tried again: only renewals are, so many times as the account says. */
function nextAttempt(world: World, invoice: Invoice): number | null {
  const subscription = subscriptionOf(world, invoice);
  if (!invoice.auto_advance || invoice.billing_reason === 'subscription_create') return null;
  if (subscription === undefined || subscription.status === 'canceled') return null;
  const days = world.account.retryAfterDays[invoice.attempt_count - 1];
  return days === undefined ? null : world.clock.now() + days * 86_400;
}

/** Gives the customer back the credit that went into an invoice which is not to be paid. */
function returnBalance(world: World, invoice: Invoice): void {
  const customer = world.store.get('customer', invoice.customer);
  const used = (invoice.starting_balance ?? 0) - (invoice.ending_balance ?? 0);
  if (customer === undefined || invoice.ending_balance === null || used === 0) return;
  const endingBalance = customer.balance + used;
  const { currency, id } = invoice;
  noteBalance(world, customer, { amount: used, endingBalance, currency, type: 'unapplied_from_invoice', invoice: id });
  change(world, customer, 'customer.updated', () => {
    customer.balance = endingBalance;
  });
}

/** Voids an open or uncollectible invoice, and its payment with it. */
export function voidInvoice(world: World, invoice: Invoice): void {
  const open = defaultPayment(world, invoice);
  invoice.status = 'void';
  invoice.auto_advance = false;
  invoice.next_payment_attempt = null;
  invoice.automatically_finalizes_at = null;
  invoice.status_transitions.voided_at = world.clock.now();
  if (open !== undefined) {
    open.payment.status = 'canceled';
    open.payment.status_transitions.canceled_at = world.clock.now();
    cancelIntent(world, open.intent, 'void_invoice');
  }
  returnBalance(world, invoice);
  emit(world, 'invoice.voided', invoice);
}

/** Writes an open invoice off. */
export function markUncollectible(world: World, invoice: Invoice, reason: UncollectibleReason): void {
  invoice.status = 'uncollectible';
  invoice.status_details = { uncollectible: { reason } };
  invoice.next_payment_attempt = null;
  invoice.status_transitions.marked_uncollectible_at = world.clock.now();
  emit(world, 'invoice.marked_uncollectible', invoice);
}
