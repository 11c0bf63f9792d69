import { emit } from '../events.ts';
import type { Customer, Discount, Invoice, InvoiceLine, Metadata, Price, Subscription } from '../model.ts';
import type { World } from '../world.ts';
import { applyDiscounts, customerDiscounts } from './discounts.ts';

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
  /** The line's own discounts. */
  discounts?: string[];
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
  /** What else is different from an invoice as a subscription makes it. */
  fields?: Partial<Invoice>;
}

/** A line as it stands on an invoice. */
export function makeLine(
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
    discounts: draft.discounts ?? [],
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

/** Sets a draft's amounts to what its lines and discounts come to. */
export function recount(world: World, invoice: Invoice): void {
  const lines = invoice.lines.data;
  for (const line of lines) line.discount_amounts = [];
  const discounts = invoice.discounts.flatMap((id) => world.store.get('discount', id) ?? []);
  const subtotal = lines.reduce((sum, line) => sum + line.amount, 0);
  const discountAmounts = applyDiscounts(world, lines, discounts);
  const total = subtotal - discountAmounts.reduce((sum, { amount }) => sum + amount, 0);
  Object.assign(invoice, {
    amount_due: Math.max(0, total),
    amount_remaining: Math.max(0, total),
    subtotal,
    subtotal_excluding_tax: subtotal,
    total,
    total_discount_amounts: discountAmounts,
    total_excluding_tax: total,
  });
}

/** Makes a draft invoice. */
export function draftInvoice(world: World, draft: InvoiceDraft): Invoice {
  const invoice = world.store.insert('invoice', buildInvoice(world, draft));
  if (draft.subscription !== null) draft.subscription.latest_invoice = invoice.id;
  if (invoice.automatically_finalizes_at !== null) remindOf(world, invoice, invoice.automatically_finalizes_at);
  emit(world, 'invoice.created', invoice);
  return invoice;
}

/** An invoice as it would be, without making it. */
export function buildInvoice(world: World, draft: InvoiceDraft): Invoice {
  const { customer, subscription } = draft;
  const id = world.ids.make('in_');
  const now = world.clock.now();
  const lines = draft.lines.map((line) => makeLine(world, id, subscription?.id ?? null, line, draft.currency));
  const subtotal = lines.reduce((sum, line) => sum + line.amount, 0);
  const discounts = draft.discounts?.length ? draft.discounts : customerDiscounts(world, customer);
  const discountAmounts = applyDiscounts(world, lines, discounts);
  const total = subtotal - discountAmounts.reduce((sum, { amount }) => sum + amount, 0);
  return {
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
    ...draft.fields,
  };
}

/** Plans the next look at an invoice. */
export function remindOf(world: World, invoice: Invoice, at: number): void {
  world.remind({ at, kind: 'invoice', id: invoice.id }, invoice.test_clock);
}
