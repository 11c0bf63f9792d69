import type Stripe from 'stripe';
import { expect, test } from 'vitest';
import { sandboxWithClient } from './support/sandbox.ts';
import { boughtOnce, boughtSubscription, eventTypes, monthlyPrice } from './support/shop.ts';

test('a payment is refunded in parts, but never beyond what was paid', async () => {
  const { stripe, control } = await sandboxWithClient();
  const { intent } = await boughtOnce(stripe, control, { amount: 5000 });
  const first = await stripe.refunds.create({
    payment_intent: intent.id,
    amount: 1500,
    reason: 'requested_by_customer',
  });
  expect(first).toMatchObject({ amount: 1500, status: 'succeeded', charge: intent.latest_charge });
  const charge = () => stripe.charges.retrieve(String(intent.latest_charge), { expand: ['refunds'] });
  expect(await charge()).toMatchObject({
    amount_refunded: 1500,
    refunded: false,
    refunds: { data: [{ id: first.id }] },
  });
  await expect(stripe.refunds.create({ payment_intent: intent.id, amount: 4000 })).rejects.toMatchObject({
    param: 'amount',
  });
  await stripe.refunds.create({ payment_intent: intent.id });
  expect(await charge()).toMatchObject({ amount_refunded: 5000, refunded: true });
  await expect(stripe.refunds.create({ payment_intent: intent.id })).rejects.toMatchObject({
    code: 'charge_already_refunded',
  });
  const refunds = await stripe.refunds.list({ payment_intent: intent.id });
  expect(refunds.data.map(({ amount }) => amount)).toEqual([3500, 1500]);
  expect(await eventTypes(stripe, 'charge.refunded')).toHaveLength(2);
});

test('a refund that fails later gives the money back to the shop', async () => {
  const { stripe, control } = await sandboxWithClient();
  const { intent } = await boughtOnce(stripe, control);
  const refund = await stripe.refunds.create({ payment_intent: intent.id });
  control.failRefund(refund.id);
  expect(await stripe.refunds.retrieve(refund.id)).toMatchObject({
    status: 'failed',
    failure_reason: 'expired_or_canceled_card',
  });
  expect(await stripe.charges.retrieve(String(intent.latest_charge))).toMatchObject({
    amount_refunded: 0,
    refunded: false,
  });
  expect(await eventTypes(stripe, 'refund.')).toEqual(['refund.created', 'refund.updated', 'refund.failed']);
});

test('a card whose refunds are pending succeeds when the bank says so, and can be canceled before', async () => {
  const { stripe, control } = await sandboxWithClient();
  const { intent } = await boughtOnce(stripe, control, { cardNumber: '4000000000007726' });
  const [kept, called] = [
    await stripe.refunds.create({ payment_intent: intent.id, amount: 100 }),
    await stripe.refunds.create({ payment_intent: intent.id, amount: 200 }),
  ];
  expect(kept.status).toBe('pending');
  control.succeedRefund(kept.id);
  expect((await stripe.refunds.retrieve(kept.id)).status).toBe('succeeded');
  expect((await stripe.refunds.cancel(called.id)).status).toBe('canceled');
  expect((await stripe.charges.retrieve(String(intent.latest_charge))).amount_refunded).toBe(100);
});

test('a disputed charge cannot be refunded; a dispute that is won gives the money back', async () => {
  const { stripe, control } = await sandboxWithClient();
  const { intent } = await boughtOnce(stripe, control, { cardNumber: '4000000000000259' });
  const [dispute] = (await stripe.disputes.list({ payment_intent: intent.id })).data;
  expect(dispute).toMatchObject({ status: 'needs_response', reason: 'fraudulent', amount: 5000 });
  expect((await stripe.charges.retrieve(String(intent.latest_charge))).disputed).toBe(true);
  await expect(stripe.refunds.create({ payment_intent: intent.id })).rejects.toMatchObject({ code: 'charge_disputed' });
  control.closeDispute(String(dispute?.id), 'won');
  expect((await stripe.disputes.retrieve(String(dispute?.id))).status).toBe('won');
  expect(await eventTypes(stripe, 'charge.dispute')).toEqual([
    'charge.dispute.created',
    'charge.dispute.funds_withdrawn',
    'charge.dispute.closed',
    'charge.dispute.funds_reinstated',
  ]);
});

test('a dispute about a renewal can be opened at any time, and lost', async () => {
  const { stripe, control } = await sandboxWithClient();
  await boughtSubscription(stripe, control);
  control.advance({ days: 40 });
  const [charge] = (await stripe.charges.list()).data;
  const dispute = control.dispute(String(charge?.id));
  control.closeDispute(dispute.id, 'lost');
  expect((await stripe.disputes.retrieve(dispute.id, { expand: ['charge'] })).charge).toMatchObject({ disputed: true });
  expect((await stripe.disputes.retrieve(dispute.id)).status).toBe('lost');
  expect(() => control.closeDispute(dispute.id, 'won')).toThrow(/already closed/);
});

test('an inquiry is only a warning', async () => {
  const { stripe, control } = await sandboxWithClient();
  const { intent } = await boughtOnce(stripe, control, { cardNumber: '4000000000001976' });
  const [inquiry] = (await stripe.disputes.list({ charge: String(intent.latest_charge) })).data;
  expect(inquiry?.status).toBe('warning_needs_response');
  expect((await stripe.charges.retrieve(String(intent.latest_charge))).disputed).toBe(false);
  control.closeDispute(String(inquiry?.id), 'won');
  expect((await stripe.disputes.retrieve(String(inquiry?.id))).status).toBe('warning_closed');
});

const SETTLES = 'DE89370400440532013000';
const RETURNED = 'DE62370400440532013001';

test('a bank debit completes the session unpaid, and settles days later', async () => {
  const { stripe, control } = await sandboxWithClient();
  const { session, intent } = await boughtOnce(stripe, control, { cardNumber: SETTLES });
  expect(session).toMatchObject({ status: 'complete', payment_status: 'unpaid' });
  expect(intent.status).toBe('processing');
  control.advance({ days: 4 });
  expect((await stripe.checkout.sessions.retrieve(session.id)).payment_status).toBe('paid');
  expect(await eventTypes(stripe, 'checkout.')).toEqual([
    'checkout.session.completed',
    'checkout.session.async_payment_succeeded',
  ]);
});

test('a bank debit that is returned leaves the session unpaid', async () => {
  const { stripe, control } = await sandboxWithClient();
  const { session, intent } = await boughtOnce(stripe, control, { cardNumber: RETURNED });
  control.advance({ days: 4 });
  expect((await stripe.checkout.sessions.retrieve(session.id)).payment_status).toBe('unpaid');
  expect(await stripe.paymentIntents.retrieve(intent.id)).toMatchObject({
    status: 'requires_payment_method',
    last_payment_error: { decline_code: 'insufficient_funds' },
  });
  expect(await eventTypes(stripe, 'checkout.')).toContain('checkout.session.async_payment_failed');
});

test('a subscription by bank debit is active while the payment is under way', async () => {
  const { stripe, control } = await sandboxWithClient();
  const { session, subscription } = await boughtSubscription(stripe, control, { cardNumber: SETTLES });
  expect(session.payment_status).toBe('unpaid');
  expect(subscription.status).toBe('active');
  const [charge] = (await stripe.charges.list()).data;
  control.settlePayment(String(charge?.payment_intent));
  const after = await stripe.subscriptions.retrieve(subscription.id, { expand: ['latest_invoice'] });
  expect(after.latest_invoice).toMatchObject({ status: 'paid' });
  expect(await stripe.checkout.sessions.retrieve(session.id)).toMatchObject({ payment_status: 'paid' });
});

test('a subscription whose first debit is returned stays active, and its invoice is voided', async () => {
  const { stripe, control } = await sandboxWithClient();
  const { session, subscription } = await boughtSubscription(stripe, control, { cardNumber: RETURNED });
  control.advance({ days: 4 });
  const after = await stripe.subscriptions.retrieve(subscription.id, { expand: ['latest_invoice'] });
  expect(after).toMatchObject({ status: 'active', latest_invoice: { status: 'void' } });
  expect(await stripe.checkout.sessions.retrieve(session.id)).toMatchObject({ payment_status: 'unpaid' });
  const types = (await eventTypes(stripe)).slice(-6);
  expect(types).toEqual([
    'payment_intent.payment_failed',
    'invoice.payment_failed',
    'customer.updated',
    'payment_intent.canceled',
    'invoice.voided',
    'checkout.session.async_payment_failed',
  ]);
});

test('a subscription whose debit for a later period is under way stays active, with an open invoice', async () => {
  const { stripe, control } = await sandboxWithClient();
  const { subscription } = await boughtSubscription(stripe, control, { cardNumber: SETTLES });
  control.advance({ days: 32 });
  const after = await stripe.subscriptions.retrieve(subscription.id, { expand: ['latest_invoice'] });
  expect(after).toMatchObject({
    status: 'active',
    latest_invoice: { status: 'open', billing_reason: 'subscription_cycle' },
  });
});

test('a payment intent is confirmed with a card, or refused with it', async () => {
  const { stripe } = await sandboxWithClient();
  const paid = await stripe.paymentIntents.create({
    amount: 700,
    currency: 'usd',
    payment_method: 'pm_card_visa',
    confirm: true,
    return_url: 'https://shop.example',
  });
  expect(paid).toMatchObject({ status: 'succeeded', amount_received: 700 });
  const open = await stripe.paymentIntents.create({ amount: 700, currency: 'usd' });
  await expect(
    stripe.paymentIntents.confirm(open.id, { payment_method: 'pm_card_visa_chargeDeclined' }),
  ).rejects.toMatchObject({
    statusCode: 402,
    decline_code: 'generic_decline',
    payment_intent: { id: open.id, status: 'requires_payment_method' },
  });
  expect((await stripe.paymentIntents.cancel(open.id)).status).toBe('canceled');
});

test('an open invoice is voided, written off, or settled elsewhere', async () => {
  const { stripe, control } = await sandboxWithClient();
  const price = await monthlyPrice(stripe);
  const invoiceOf = async () => {
    const customer = await stripe.customers.create({});
    const { latest_invoice } = await stripe.subscriptions.create({
      customer: customer.id,
      items: [{ price: price.id }],
      collection_method: 'send_invoice',
      days_until_due: 14,
    });
    return String(latest_invoice);
  };
  const [first, second, third] = [await invoiceOf(), await invoiceOf(), await invoiceOf()];
  expect((await stripe.invoices.voidInvoice(first)).status).toBe('void');
  expect((await stripe.invoices.markUncollectible(second)).status).toBe('uncollectible');
  expect((await stripe.invoices.pay(third, { paid_out_of_band: true })).status).toBe('paid');
  await expect(stripe.invoices.pay(third)).rejects.toMatchObject({ code: 'invoice_already_paid' });
  const open = await stripe.invoices.list({ status: 'open' });
  expect(open.data).toEqual([]);
  expect(control.state().objects.invoice).toBe(3);
});

test('a credit balance pays invoices first', async () => {
  const { stripe } = await sandboxWithClient();
  const price = await monthlyPrice(stripe, 2000);
  const customer = await stripe.customers.create({ balance: -5000 });
  const method = await stripe.paymentMethods.attach('pm_card_visa', { customer: customer.id });
  const subscription = await stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price: price.id }],
    default_payment_method: method.id,
    expand: ['latest_invoice'],
  });
  expect(subscription.status).toBe('active');
  expect(subscription.latest_invoice).toMatchObject({ total: 2000, amount_due: 0, status: 'paid' });
  expect(((await stripe.customers.retrieve(customer.id)) as Stripe.Customer).balance).toBe(-3000);
});

test('evidence puts a dispute under review', async () => {
  const { stripe, control } = await sandboxWithClient();
  const { intent } = await boughtOnce(stripe, control);
  const { id } = control.dispute(intent.id, 'product_not_received');
  const staged = await stripe.disputes.update(id, { evidence: { product_description: 'A book' }, submit: false });
  expect(staged).toMatchObject({ status: 'needs_response', evidence: { product_description: 'A book' } });
  expect((await stripe.disputes.update(id, { evidence: { receipt: 'file_1' } })).status).toBe('under_review');
  expect((await stripe.disputes.close(id)).status).toBe('lost');
});
