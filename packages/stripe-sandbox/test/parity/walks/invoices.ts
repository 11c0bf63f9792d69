import type { Observed } from '../../support/observed.ts';
import { monthlyPrice, subscriber } from '../../support/shop.ts';

/** Invoices made by hand and their items; finalized, paid, sent, voided, written off, deleted, previewed. */
export async function walkInvoices({ stripe }: Observed): Promise<void> {
  const customer = await subscriber(stripe);
  const once = await stripe.prices.create({ currency: 'usd', unit_amount: 700, product_data: { name: 'Set-up' } });
  const draft = async () => {
    await stripe.invoiceItems.create({ customer: customer.id, amount: 1200, currency: 'usd', description: 'Work' });
    return await stripe.invoices.create({
      customer: customer.id,
      description: 'By hand',
      metadata: { a: 'b' },
      pending_invoice_items_behavior: 'include',
      expand: ['customer', 'lines.data'],
    });
  };
  const invoice = await draft();
  const item = await stripe.invoiceItems.create({
    customer: customer.id,
    invoice: invoice.id as string,
    pricing: { price: once.id },
    quantity: 3,
  });
  await stripe.invoiceItems.update(item.id, { quantity: 2, description: 'Set-up, twice' });
  await stripe.invoiceItems.retrieve(item.id, { expand: ['invoice'] });
  await stripe.invoiceItems.list({ customer: customer.id });
  await stripe.invoices.update(invoice.id as string, { description: 'Changed', metadata: { a: '' } });
  await stripe.invoices.finalizeInvoice(invoice.id as string, { expand: ['confirmation_secret'] });
  await stripe.invoices.pay(invoice.id as string, { expand: ['payments.data.payment.payment_intent'] });
  await stripe.invoices.retrieve(invoice.id as string, { expand: ['payments', 'customer', 'default_payment_method'] });
  await stripe.invoices.listLineItems(invoice.id as string);
  await stripe.invoices.list({ customer: customer.id, status: 'paid', expand: ['data.payments'] });
  await stripe.invoices.search({ query: `customer:"${customer.id}"` });
  const payments = await stripe.invoicePayments.list({ invoice: invoice.id as string });
  await stripe.invoicePayments.retrieve(payments.data[0]?.id as string, {
    expand: ['payment.payment_intent', 'invoice'],
  });

  await stripe.invoices.del((await draft()).id as string);
  const voided = await draft();
  await stripe.invoices.finalizeInvoice(voided.id as string);
  await stripe.invoices.voidInvoice(voided.id as string);
  const lost = await draft();
  await stripe.invoices.finalizeInvoice(lost.id as string);
  await stripe.invoices.markUncollectible(lost.id as string);
  const outside = await draft();
  await stripe.invoices.pay(outside.id as string, { paid_out_of_band: true });
  await stripe.invoiceItems.del(
    (await stripe.invoiceItems.create({ customer: customer.id, amount: -300, currency: 'usd' })).id,
  );
  const sent = await stripe.invoices.create({
    customer: customer.id,
    collection_method: 'send_invoice',
    days_until_due: 7,
  });
  await stripe.invoices.sendInvoice(sent.id as string);
  const price = await monthlyPrice(stripe);
  await stripe.invoices.createPreview({
    customer: customer.id,
    subscription_details: { items: [{ price: price.id, quantity: 2 }] },
    invoice_items: [{ amount: 500, currency: 'usd', description: 'Extra' }],
  });
}
