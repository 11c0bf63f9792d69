import { discountsReader, redeem, redemptionOf } from '../billing/discounts.ts';
import { draftInvoice } from '../billing/draft-invoice.ts';
import { pendingItems, pendingLines } from '../billing/invoice-lines.ts';
import { finalize } from '../billing/settlement.ts';
import { invalidRequest } from '../errors.ts';
import { emit } from '../events.ts';
import type { Invoice } from '../model.ts';
import {
  flag,
  ignored,
  integer,
  mergeMetadata,
  metadata,
  oneOf,
  optional,
  type Params,
  required,
  text,
} from '../params.ts';
import { route } from '../routes.ts';
import type { World } from '../world.ts';
import { usableMethod } from './payment-methods.ts';

const HOUR = 3600;

const createFields = {
  auto_advance: optional(flag),
  automatic_tax: optional(ignored),
  collection_method: optional(oneOf('charge_automatically', 'send_invoice')),
  currency: optional(text),
  custom_fields: optional(ignored),
  customer: required(text),
  days_until_due: optional(integer),
  default_payment_method: optional(text),
  default_tax_rates: optional(ignored),
  description: optional(text),
  discounts: optional(discountsReader),
  due_date: optional(integer),
  footer: optional(text),
  issuer: optional(ignored),
  metadata: optional(metadata),
  payment_settings: optional(ignored),
  pending_invoice_items_behavior: optional(oneOf('exclude', 'include')),
  rendering: optional(ignored),
  subscription: optional(text),
};

function dueDate(world: World, given: Params<typeof createFields>): number | null {
  const sends = given.collection_method === 'send_invoice';
  if (!sends) {
    if (given.days_until_due !== undefined || given.due_date !== undefined) {
      const param = given.due_date === undefined ? 'days_until_due' : 'due_date';
      throw invalidRequest(
        `You can only set \`${param}\` if the invoice's \`collection_method\` is \`send_invoice\`.`,
        {
          param,
        },
      );
    }
    return null;
  }
  if (given.due_date !== undefined) return given.due_date;
  if (given.days_until_due === undefined) {
    throw invalidRequest('You must pass `days_until_due` or `due_date` when `collection_method` is `send_invoice`.', {
      param: 'days_until_due',
    });
  }
  return world.clock.now() + given.days_until_due * 86_400;
}

/** The invoice items of a customer that wait for an invoice and belong to no subscription, or to the given one. */
function waiting(world: World, customer: string, subscriptionId: string | undefined, currency: string | undefined) {
  const subscription = subscriptionId === undefined ? undefined : world.store.get('subscription', subscriptionId);
  if (subscription !== undefined) return pendingItems(world, subscription);
  return world.store
    .all('invoiceitem', { key: 'customer', value: customer })
    .filter((item) => item.invoice === null && item.parent === null && item.currency === (currency ?? item.currency));
}

function create(world: World, given: Params<typeof createFields>): Invoice {
  const customer = world.need('customer', given.customer, 'customer');
  const subscription =
    given.subscription === undefined ? null : world.need('subscription', given.subscription, 'subscription');
  const { default_payment_method: method } = given;
  if (method !== undefined) usableMethod(world, method, customer.id, 'default_payment_method');
  const due = dueDate(world, given);
  const pulls = given.pending_invoice_items_behavior === 'include' || subscription !== null;
  const pending = pulls ? waiting(world, customer.id, given.subscription, given.currency?.toLowerCase()) : [];
  const redemptions = (given.discounts ?? []).map((asked, index) => redemptionOf(world, asked, `discounts[${index}]`));
  const invoice = draftInvoice(world, {
    customer,
    subscription,
    reason: subscription === null ? 'manual' : 'subscription_update',
    currency: given.currency?.toLowerCase() ?? pending[0]?.currency ?? customer.currency ?? 'usd',
    lines: pendingLines(world, pending),
    discounts: redemptions.map((redemption) => redeem(world, redemption, { customer, subscription: null })),
    period: { start: world.clock.now(), end: world.clock.now() },
    metadata: mergeMetadata({}, given.metadata),
    autoAdvance: given.auto_advance ?? false,
    finalizesAt: given.auto_advance === true ? world.clock.now() + HOUR : null,
    fields: {
      collection_method: given.collection_method ?? 'charge_automatically',
      default_payment_method: method ?? null,
      description: given.description ?? null,
      due_date: due,
      footer: given.footer ?? null,
    },
  });
  for (const item of pending) item.invoice = invoice.id;
  return invoice;
}

/** Deletes a draft that somebody made; its items wait for another invoice. */
function deleteDraft(world: World, invoice: Invoice): object {
  if (invoice.status !== 'draft') {
    throw invalidRequest(`You can only delete draft invoices. This one is ${invoice.status}; void it instead.`, {
      code: 'invoice_not_editable',
    });
  }
  if (invoice.parent !== null) throw invalidRequest('You cannot delete an invoice that a subscription made.');
  for (const item of world.store.all('invoiceitem', { key: 'customer', value: invoice.customer })) {
    if (item.invoice === invoice.id) item.invoice = null;
  }
  emit(world, 'invoice.deleted', invoice);
  return world.remove('invoice', invoice.id);
}

export const invoiceDraftRoutes = [
  route('POST', '/invoices', createFields, (world, params) =>
    world.inTimeOf(params.customer, () => create(world, params)),
  ),
  route('DELETE', '/invoices/:id', {}, (world, _params, id) => deleteDraft(world, world.need('invoice', id))),
  route('POST', '/invoices/:id/send', {}, (world, _params, id) => {
    const invoice = world.need('invoice', id);
    if (invoice.collection_method !== 'send_invoice') {
      throw invalidRequest('You can only manually send an invoice if its collection method is `send_invoice`.', {
        code: 'invoice_not_editable',
      });
    }
    return world.inTimeOf(invoice.customer, () => {
      if (invoice.status === 'draft') finalize(world, invoice);
      emit(world, 'invoice.sent', invoice);
      return invoice;
    });
  }),
];
