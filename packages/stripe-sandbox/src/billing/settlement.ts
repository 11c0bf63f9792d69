import { change, emit } from '../events.ts';
import type { Customer, Invoice, PaymentIntent, PaymentMethod, Subscription } from '../model.ts';
import type { World } from '../world.ts';
import { cancelSubscription, expireIncomplete, hasEnded } from './cancellation.ts';
import { remindOf } from './draft-invoice.ts';
import {
  type CollectionOutcome,
  collectInvoice,
  finalizeInvoice,
  invoiceOf,
  settleInvoice,
  subscriptionOf,
  voidInvoice,
} from './invoices.ts';
import { settleIntent } from './payments.ts';
import { applyPending, dropPending } from './pending-update.ts';
import { planNext } from './planning.ts';
import { resumeAfter } from './resumption.ts';

/** What an invoice is paid with when nobody says: the subscription's method, or else the customer's. */
export function methodFor(
  world: World,
  customer: Customer,
  subscription: Subscription | undefined,
): PaymentMethod | null {
  const id = subscription?.default_payment_method ?? customer.invoice_settings.default_payment_method;
  return id === null ? null : (world.store.get('payment_method', id) ?? null);
}

function setDelinquent(world: World, customerId: string, delinquent: boolean): void {
  const customer = world.store.get('customer', customerId);
  if (customer === undefined || customer.delinquent === delinquent) return;
  change(world, customer, 'customer.updated', () => {
    customer.delinquent = delinquent;
  });
}

/** What a paid invoice means for its subscription: what was waiting for the money goes on. */
function onPaid(world: World, invoice: Invoice, subscription: Subscription): void {
  setDelinquent(world, invoice.customer, false);
  if (hasEnded(subscription) || applyPending(world, subscription, invoice)) return;
  if (resumeAfter(world, subscription, invoice)) return;
  if (subscription.latest_invoice === invoice.id) goesOn(world, subscription);
}

/** A subscription that waited for money is in good standing again. */
function goesOn(world: World, subscription: Subscription): void {
  if (!['incomplete', 'past_due', 'unpaid'].includes(subscription.status)) return;
  change(world, subscription, 'customer.subscription.updated', () => {
    const inTrial = subscription.trial_end !== null && subscription.trial_end > world.clock.now();
    subscription.status = inTrial ? 'trialing' : 'active';
  });
  planNext(world, subscription);
}

/** What a failed payment means for its subscription: it is owed, and after the last retry what the account says. */
function onFailed(world: World, invoice: Invoice, subscription: Subscription): void {
  setDelinquent(world, invoice.customer, true);
  if (hasEnded(subscription) || invoice.billing_reason === 'subscription_create') return;
  // An update that waits for its payment leaves the subscription as it is.
  if (subscription.$.pending?.invoice === invoice.id || subscription.status === 'paused') return;
  if (subscription.status === 'active' || subscription.status === 'trialing') {
    change(world, subscription, 'customer.subscription.updated', () => {
      subscription.status = 'past_due';
    });
  }
  if (invoice.auto_advance && invoice.next_payment_attempt === null) afterLastAttempt(world, subscription);
}

/** Nothing more is done to collect: what becomes of the subscription is the account's choice. */
function afterLastAttempt(world: World, subscription: Subscription): void {
  const { afterRetries } = world.account;
  if (afterRetries === 'past_due') return;
  if (afterRetries === 'canceled') {
    cancelSubscription(world, subscription, { reason: 'payment_failed' });
    return;
  }
  change(world, subscription, 'customer.subscription.updated', () => {
    subscription.status = 'unpaid';
  });
}

function apply(world: World, invoice: Invoice, status: CollectionOutcome['status']): void {
  const subscription = subscriptionOf(world, invoice);
  if (subscription === undefined) return;
  if (status === 'failed' || status === 'requires_action') onFailed(world, invoice, subscription);
  // A debit that is under way counts as good until it is returned.
  else if (status === 'paid' || invoice.billing_reason === 'subscription_create') onPaid(world, invoice, subscription);
}

/** Finalizes a draft; when nothing is due, that pays it. */
export function finalize(world: World, invoice: Invoice): void {
  finalizeInvoice(world, invoice);
  if (invoice.status === 'paid') apply(world, invoice, 'paid');
}

/** Tries to collect an open invoice, and lets its subscription take the consequences. */
export function collect(
  world: World,
  invoice: Invoice,
  method: PaymentMethod | null,
  onSession: boolean,
): CollectionOutcome {
  const outcome = collectInvoice(world, invoice, method, onSession);
  apply(world, invoice, outcome.status);
  return outcome;
}

/**
 * An open invoice was written off or voided. Written off counts as paid; voided, the subscription goes by what else it
 * owes, and one that never began is over.
 */
export function afterGivenUp(world: World, invoice: Invoice): void {
  const subscription = subscriptionOf(world, invoice);
  if (subscription === undefined || hasEnded(subscription)) return;
  if (subscription.$.pending?.invoice === invoice.id) {
    dropPending(world, subscription, 'replaced');
    return;
  }
  if (invoice.status === 'uncollectible') {
    if (!resumeAfter(world, subscription, invoice) && subscription.latest_invoice === invoice.id) {
      goesOn(world, subscription);
    }
    return;
  }
  if (subscription.status === 'incomplete') {
    expireIncomplete(world, subscription);
    return;
  }
  const invoices = world.store.all('invoice', { key: 'subscription', value: subscription.id });
  if (!invoices.some(({ status }) => status === 'open')) goesOn(world, subscription);
}

/** How long after its due date an invoice that was sent may stay unpaid, in seconds. */
const OVERDUE_SECONDS = 30 * 86_400;

/** An invoice that was sent to the customer is past its due date: it is owed, and some time later given up. */
export function overdue(world: World, invoice: Invoice): void {
  const { due_date: due } = invoice;
  const subscription = subscriptionOf(world, invoice);
  if (due === null) return;
  if (world.clock.now() < due + OVERDUE_SECONDS) {
    emit(world, 'invoice.overdue', invoice);
    remindOf(world, invoice, due + OVERDUE_SECONDS);
    if (subscription?.status !== 'active') return;
    change(world, subscription, 'customer.subscription.updated', () => {
      subscription.status = 'past_due';
    });
  } else if (subscription?.status === 'past_due') {
    afterLastAttempt(world, subscription);
  }
}

/** An invoice was settled elsewhere, or otherwise became paid: its subscription goes on. */
export function afterPaid(world: World, invoice: Invoice): void {
  apply(world, invoice, 'paid');
}

/** Ends a payment that was under way, with all that hangs on it. */
export function settlePayment(world: World, intent: PaymentIntent, ending?: 'fails' | 'succeeds'): boolean {
  const outcome = settleIntent(world, intent, ending);
  const paid = outcome.status === 'paid';
  const invoice = invoiceOf(world, intent);
  if (invoice !== undefined && invoice.status === 'open') {
    settleInvoice(world, invoice, paid);
    apply(world, invoice, paid ? 'paid' : 'failed');
    // A subscription that began with a debit goes on without that money: nobody is asked for it again.
    if (!paid && invoice.billing_reason === 'subscription_create') voidInvoice(world, invoice);
  }
  return paid;
}
