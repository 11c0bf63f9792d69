import { markUncollectible, settleOutside, voidInvoice } from '../billing/invoices.ts';
import { refusal } from '../billing/refusal.ts';
import { afterGivenUp, afterPaid, collect, finalize, methodFor } from '../billing/settlement.ts';
import { invalidRequest } from '../errors.ts';
import { change } from '../events.ts';
import { firstBy, listShape, pageOf, pageOfNested } from '../lists.ts';
import type { Invoice } from '../model.ts';
import { clearable, flag, group, mergeMetadata, metadata, oneOf, optional, range, required, text } from '../params.ts';
import { route } from '../routes.ts';
import type { World } from '../world.ts';
import { resolveMethod } from './payment-methods.ts';

/** Carries something out for an invoice, in the time of its customer. */
function within(world: World, id: string, run: (invoice: Invoice) => void): Invoice {
  const invoice = world.need('invoice', id);
  world.inTimeOf(invoice.customer, () => run(invoice));
  return invoice;
}

function subscriptionIdOf(invoice: Invoice): string | undefined {
  return invoice.parent?.subscription_details.subscription;
}

function pay(
  world: World,
  invoice: Invoice,
  given: { method: string | undefined; outside: boolean; offSession: boolean },
): void {
  if (invoice.status === 'draft') finalize(world, invoice);
  if (invoice.status === 'paid') throw invalidRequest('Invoice is already paid', { code: 'invoice_already_paid' });
  if (invoice.status !== 'open' && invoice.status !== 'uncollectible') {
    throw invalidRequest(`Invoice is ${invoice.status} and cannot be paid.`, { code: 'invoice_not_editable' });
  }
  if (given.outside) {
    settleOutside(world, invoice);
    afterPaid(world, invoice);
    return;
  }
  const id = subscriptionIdOf(invoice);
  const subscription = id === undefined ? undefined : world.store.get('subscription', id);
  const method =
    given.method === undefined
      ? methodFor(world, world.need('customer', invoice.customer), subscription)
      : resolveMethod(world, given.method, 'payment_method');
  invoice.status = 'open';
  const outcome = collect(world, invoice, method, !given.offSession);
  if (outcome.status === 'failed' || outcome.status === 'requires_action') throw refusal(outcome);
}

function needStatus(invoice: Invoice, ...statuses: Invoice['status'][]): void {
  if (!statuses.includes(invoice.status)) {
    throw invalidRequest(`This invoice is ${invoice.status}; it has to be ${statuses.join(' or ')} for that.`, {
      code: 'invoice_not_editable',
    });
  }
}

export const invoiceRoutes = [
  route(
    'GET',
    '/invoices',
    {
      ...listShape,
      collection_method: optional(text),
      created: optional(range),
      customer: optional(text),
      due_date: optional(range),
      status: optional(oneOf('draft', 'open', 'paid', 'uncollectible', 'void')),
      subscription: optional(text),
    },
    (world, params) => {
      return pageOf(world.store, 'invoice', params, {
        url: '/v1/invoices',
        by: firstBy(params, ['subscription', 'customer']),
        keep: (invoice) =>
          (params.customer === undefined || invoice.customer === params.customer) &&
          (params.status === undefined || invoice.status === params.status) &&
          (params.collection_method === undefined || invoice.collection_method === params.collection_method) &&
          (params.due_date === undefined || (invoice.due_date !== null && params.due_date(invoice.due_date))) &&
          (params.created?.(invoice.created) ?? true),
      });
    },
  ),
  route('GET', '/invoices/:id', {}, (world, _params, id) => world.need('invoice', id)),
  route('GET', '/invoices/:id/lines', listShape, (world, params, id) =>
    pageOfNested(world.need('invoice', id).lines.data, params, `/v1/invoices/${id}/lines`),
  ),
  route(
    'POST',
    '/invoices/:id',
    { auto_advance: optional(flag), description: optional(clearable(text)), metadata: optional(metadata) },
    (world, params, id) => {
      const metadataAfter = mergeMetadata(world.need('invoice', id).metadata, params.metadata);
      return within(world, id, (invoice) => {
        change(world, invoice, 'invoice.updated', () => {
          invoice.metadata = metadataAfter;
          invoice.auto_advance = params.auto_advance ?? invoice.auto_advance;
          if (params.description !== undefined) invoice.description = params.description;
        });
      });
    },
  ),
  route('POST', '/invoices/:id/finalize', { auto_advance: optional(flag) }, (world, params, id) =>
    within(world, id, (invoice) => {
      needStatus(invoice, 'draft');
      if (params.auto_advance !== undefined) invoice.auto_advance = params.auto_advance;
      finalize(world, invoice);
    }),
  ),
  route(
    'POST',
    '/invoices/:id/pay',
    { off_session: optional(flag), paid_out_of_band: optional(flag), payment_method: optional(text) },
    (world, params, id) =>
      within(world, id, (invoice) =>
        pay(world, invoice, {
          method: params.payment_method,
          outside: params.paid_out_of_band === true,
          // Stripe takes the customer to be away unless told otherwise.
          offSession: params.off_session !== false,
        }),
      ),
  ),
  route('POST', '/invoices/:id/void', {}, (world, _params, id) =>
    within(world, id, (invoice) => {
      needStatus(invoice, 'open', 'uncollectible');
      voidInvoice(world, invoice);
      afterGivenUp(world, invoice);
    }),
  ),
  route('POST', '/invoices/:id/mark_uncollectible', {}, (world, _params, id) =>
    within(world, id, (invoice) => {
      needStatus(invoice, 'open');
      markUncollectible(world, invoice, 'user_forgiven');
      afterGivenUp(world, invoice);
    }),
  ),
  route(
    'GET',
    '/invoice_payments',
    {
      ...listShape,
      created: optional(range),
      invoice: optional(text),
      payment: optional(
        group({
          type: required(oneOf('charge', 'payment_intent', 'payment_record')),
          charge: optional(text),
          payment_intent: optional(text),
          payment_record: optional(text),
        }),
      ),
      status: optional(oneOf('canceled', 'open', 'paid')),
    },
    (world, params) =>
      pageOf(world.store, 'invoice_payment', params, {
        url: '/v1/invoice_payments',
        by: firstBy({ invoice: params.invoice, payment_intent: params.payment?.payment_intent }, [
          'invoice',
          'payment_intent',
        ]),
        keep: (payment) =>
          (params.payment === undefined || payment.payment.payment_intent === params.payment.payment_intent) &&
          (params.status === undefined || payment.status === params.status) &&
          (params.created?.(payment.created) ?? true),
      }),
  ),
  route('GET', '/invoice_payments/:id', {}, (world, _params, id) => world.need('invoice_payment', id)),
];
