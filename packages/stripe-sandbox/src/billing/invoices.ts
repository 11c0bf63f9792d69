import { cardError, invalidRequest } from '../errors.ts';
import { change, emit } from '../events.ts';
import { bare } from '../expand.ts';
import type {
  Customer,
  Discount,
  Invoice,
  InvoiceLine,
  InvoicePayment,
  Metadata,
  PaymentIntent,
  PaymentMethod,
  Price,
  Subscription,
} from '../model.ts';
import type { World } from '../world.ts';
import { applyDiscounts } from './discounts.ts';
import { attempt, cancelIntent, openIntent, type PaymentOutcome } from './payments.ts';

/** One line of an invoice to be. */
export interface LineDraft {
  amount: number;
  description: string;
  price: Price;
  quantity: number | null;
  period: { start: number; end: number };
  subscriptionItem: string | null;
  invoiceItem?: string | null;
  proration?: boolean;
  metadata?: Metadata;
}

export interface InvoiceDraft {
  customer: Customer;
  subscription: Subscription | null;
  reason: Invoice['billing_reason'];
  currency: string;
  lines: LineDraft[];
  discounts?: Discount[];
  period: { start: number; end: number };
  metadata?: Metadata;
  autoAdvance?: boolean;
  /** When a draft is finalized by itself; null: somebody does it now, or nobody. */
  finalizesAt?: number | null;
}

function makeLine(
  world: World,
  invoice: string,
  subscription: string | null,
  draft: LineDraft,
  currency: string,
): InvoiceLine {
  const proration = draft.proration ?? false;
  const details = { proration, proration_details: { credited_items: null } };
  const invoice_item = draft.invoiceItem ?? null;
  return {
    id: world.ids.make('il_'),
    object: 'line_item',
    amount: draft.amount,
    currency,
    description: draft.description,
    discount_amounts: [],
    discountable: !proration,
    discounts: [],
    invoice,
    livemode: false,
    metadata: draft.metadata ?? {},
    parent:
      draft.subscriptionItem !== null && subscription !== null
        ? {
            invoice_item_details: null,
            subscription_item_details: {
              ...details,
              invoice_item,
              subscription,
              subscription_item: draft.subscriptionItem,
            },
            type: 'subscription_item_details',
          }
        : {
            invoice_item_details: { ...details, invoice_item: invoice_item ?? '', subscription },
            subscription_item_details: null,
            type: 'invoice_item_details',
          },
    period: draft.period,
    pretax_credit_amounts: [],
    pricing: {
      price_details: { price: draft.price.id, product: draft.price.product },
      type: 'price_details',
      unit_amount_decimal: draft.price.unit_amount_decimal,
    },
    quantity: draft.quantity,
    quantity_decimal: draft.quantity === null ? null : String(draft.quantity),
    subscription,
    subtotal: draft.amount,
    taxes: [],
  };
}

/** Makes a draft invoice. */
export function draftInvoice(world: World, draft: InvoiceDraft): Invoice {
  const { customer, subscription } = draft;
  const id = world.ids.make('in_');
  const now = world.clock.now();
  const lines = draft.lines.map((line) => makeLine(world, id, subscription?.id ?? null, line, draft.currency));
  const subtotal = lines.reduce((sum, line) => sum + line.amount, 0);
  const discounts = draft.discounts ?? [];
  const discountAmounts = applyDiscounts(world, lines, discounts);
  const total = subtotal - discountAmounts.reduce((sum, { amount }) => sum + amount, 0);
  const invoice = world.store.insert('invoice', {
    id,
    object: 'invoice',
    account_country: 'US',
    account_name: 'Sandbox',
    account_tax_ids: null,
    amount_due: Math.max(0, total),
    amount_overpaid: 0,
    amount_paid: 0,
    amount_remaining: Math.max(0, total),
    amount_shipping: 0,
    application: null,
    attempt_count: 0,
    attempted: false,
    auto_advance: draft.autoAdvance ?? true,
    automatic_tax: { disabled_reason: null, enabled: false, liability: null, provider: null, status: null },
    automatically_finalizes_at: draft.finalizesAt ?? null,
    billing_reason: draft.reason,
    collection_method: subscription?.collection_method ?? 'charge_automatically',
    created: now,
    currency: draft.currency,
    custom_fields: null,
    customer: customer.id,
    customer_account: null,
    customer_address: customer.address,
    customer_email: customer.email,
    customer_name: customer.name,
    customer_phone: customer.phone,
    customer_shipping: null,
    customer_tax_exempt: customer.tax_exempt,
    customer_tax_ids: [],
    default_payment_method: null,
    default_source: null,
    default_tax_rates: [],
    description: null,
    discounts: discounts.map((discount) => discount.id),
    due_date: null,
    effective_at: null,
    ending_balance: null,
    footer: null,
    from_invoice: null,
    hosted_invoice_url: null,
    invoice_pdf: null,
    issuer: { type: 'self' },
    last_finalization_error: null,
    latest_revision: null,
    lines: { object: 'list', data: lines, has_more: false, url: `/v1/invoices/${id}/lines` },
    livemode: false,
    metadata: draft.metadata ?? {},
    next_payment_attempt: draft.finalizesAt ?? null,
    number: null,
    on_behalf_of: null,
    parent:
      subscription === null
        ? null
        : {
            quote_details: null,
            subscription_details: { metadata: { ...subscription.metadata }, subscription: subscription.id },
            type: 'subscription_details',
          },
    payment_settings: { default_mandate: null, payment_method_options: null, payment_method_types: null },
    period_end: draft.period.end,
    period_start: draft.period.start,
    post_payment_credit_notes_amount: 0,
    pre_payment_credit_notes_amount: 0,
    receipt_number: null,
    rendering: null,
    shipping_cost: null,
    shipping_details: null,
    starting_balance: customer.balance,
    statement_descriptor: null,
    status: 'draft',
    status_transitions: { finalized_at: null, marked_uncollectible_at: null, paid_at: null, voided_at: null },
    subtotal,
    subtotal_excluding_tax: subtotal,
    test_clock: customer.test_clock,
    total,
    total_discount_amounts: discountAmounts,
    total_excluding_tax: total,
    total_pretax_credit_amounts: [],
    total_taxes: [],
    webhooks_delivered_at: now,
  });
  if (subscription !== null) subscription.latest_invoice = invoice.id;
  if (invoice.automatically_finalizes_at !== null) remind(world, invoice, invoice.automatically_finalizes_at);
  emit(world, 'invoice.created', invoice);
  return invoice;
}

function remind(world: World, invoice: Invoice, at: number): void {
  world.remind({ at, kind: 'invoice', id: invoice.id }, invoice.test_clock);
}

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
    invoice.due_date = now + (subscription?.days_until_due ?? 30) * 86_400;
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
      description: invoice.billing_reason === 'subscription_create' ? 'Subscription creation' : 'Subscription update',
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
  if (invoice.next_payment_attempt !== null) remind(world, invoice, invoice.next_payment_attempt);
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
  emit(world, 'invoice.voided', invoice);
}

/** Writes an open invoice off. */
export function markUncollectible(world: World, invoice: Invoice): void {
  invoice.status = 'uncollectible';
  invoice.next_payment_attempt = null;
  invoice.status_transitions.marked_uncollectible_at = world.clock.now();
  emit(world, 'invoice.marked_uncollectible', invoice);
}

/** The error of a payment that did not go through, as the API answers it. */
export function refusal(
  outcome: Exclude<CollectionOutcome, { status: 'paid' | 'processing' }>,
  intent?: PaymentIntent,
): Error {
  if (outcome.status === 'requires_action') {
    return cardError('This payment requires additional user action before it can be completed successfully.', {
      code: 'invoice_payment_intent_requires_action',
    });
  }
  if (outcome.error === null) {
    return invalidRequest('This customer has no attached payment source or default payment method.', {
      code: 'resource_missing',
    });
  }
  const { code, decline_code, message, charge, payment_method } = outcome.error;
  return cardError(message, {
    code,
    ...(decline_code === undefined ? {} : { decline_code }),
    ...(charge === undefined ? {} : { charge }),
    payment_method,
    ...(intent === undefined ? {} : { payment_intent: bare(intent) }),
  });
}
