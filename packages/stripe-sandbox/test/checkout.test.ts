import type Stripe from 'stripe';
import { expect, test } from 'vitest';
import { sandboxWithClient } from './support/sandbox.ts';
import { boughtOnce, boughtSubscription, DAY, eventTypes, monthlyPrice } from './support/shop.ts';

test('a subscription is bought: session, subscription, invoice, payment and charge belong together', async () => {
  const { stripe, control } = await sandboxWithClient();
  const { session, price } = await boughtSubscription(stripe, control, { data: { metadata: { user: 'u1' } } });
  expect(session).toMatchObject({ status: 'complete', payment_status: 'paid', amount_total: 2000, url: null });
  const whole = await stripe.checkout.sessions.retrieve(session.id, {
    expand: ['line_items', 'subscription.latest_invoice.payments', 'customer'],
  });
  expect(whole.line_items?.data).toMatchObject([{ quantity: 1, price: { id: price.id } }]);
  const subscription = whole.subscription as Stripe.Subscription;
  expect(subscription).toMatchObject({
    status: 'active',
    metadata: { user: 'u1' },
    billing_mode: { type: 'flexible' },
  });
  const [item] = subscription.items.data;
  expect(item?.current_period_end).toBeGreaterThan(Number(item?.current_period_start) + 27 * DAY);
  const invoice = subscription.latest_invoice as Stripe.Invoice;
  expect(invoice).toMatchObject({ status: 'paid', billing_reason: 'subscription_create', amount_paid: 2000 });
  expect(invoice.parent?.subscription_details?.subscription).toBe(subscription.id);
  const intentId = String(invoice.payments?.data[0]?.payment.payment_intent);
  const intent = await stripe.paymentIntents.retrieve(intentId, { expand: ['latest_charge'] });
  expect(intent).toMatchObject({ status: 'succeeded', latest_charge: { paid: true, amount: 2000 } });
  expect(intent.latest_charge).not.toHaveProperty('invoice');
  const payments = await stripe.invoicePayments.list({ payment: { type: 'payment_intent', payment_intent: intentId } });
  expect(payments.data.map((payment) => payment.invoice)).toEqual([invoice.id]);
  expect(whole.customer).toMatchObject({ email: 'buyer@example.com' });
});

test('the events of a purchase come in an order that makes sense', async () => {
  const { stripe, control } = await sandboxWithClient();
  await boughtSubscription(stripe, control);
  const types = await eventTypes(stripe);
  const order = [
    'customer.created',
    'payment_method.attached',
    'customer.subscription.created',
    'invoice.created',
    'invoice.finalized',
    'charge.succeeded',
    'payment_intent.succeeded',
    'invoice.paid',
    'customer.subscription.updated',
    'checkout.session.completed',
  ];
  expect(types.filter((type) => order.includes(type))).toEqual(order);
});

test('a declined card leaves the session open, to be tried again', async () => {
  const { stripe, control } = await sandboxWithClient();
  const price = await monthlyPrice(stripe);
  const { id } = await stripe.checkout.sessions.create({
    mode: 'subscription',
    success_url: 'https://shop.example/thanks',
    line_items: [{ price: price.id, quantity: 1 }],
  });
  expect(control.payCheckout(id, { cardNumber: '4000000000000002' })).toEqual({
    ok: false,
    message: 'Your card was declined.',
    declineCode: 'generic_decline',
  });
  expect((await stripe.checkout.sessions.retrieve(id)).status).toBe('open');
  expect((await stripe.subscriptions.list({ status: 'all' })).data).toEqual([]);
  expect(control.payCheckout(id)).toEqual({ ok: true, redirectUrl: 'https://shop.example/thanks' });
});

test('a card that needs authentication pays once the bank has been asked', async () => {
  const { stripe, control } = await sandboxWithClient();
  const price = await monthlyPrice(stripe);
  const { id } = await stripe.checkout.sessions.create({
    mode: 'subscription',
    success_url: 'https://shop.example/thanks',
    line_items: [{ price: price.id, quantity: 1 }],
  });
  const card = { cardNumber: '4000 0025 0000 3155' };
  expect(control.payCheckout(id, card)).toMatchObject({ ok: false, declineCode: 'authentication_required' });
  expect(control.payCheckout(id, { ...card, authenticated: true })).toMatchObject({ ok: true });
  control.advance({ days: 40 });
  const [subscription] = (await stripe.subscriptions.list()).data;
  expect(subscription?.status).toBe('active');
});

test('a one-time payment makes a payment intent with its metadata, for a guest', async () => {
  const { stripe, control } = await sandboxWithClient();
  const { session, intent } = await boughtOnce(stripe, control);
  expect(session).toMatchObject({ mode: 'payment', payment_status: 'paid', customer: null, amount_total: 5000 });
  expect(session.customer_details?.email).toBe('buyer@example.com');
  expect(intent).toMatchObject({ amount_received: 5000, metadata: { order: '7' }, status: 'succeeded' });
  const found = await stripe.checkout.sessions.list({ payment_intent: intent.id });
  expect(found.data.map(({ id }) => id)).toEqual([session.id]);
});

test('a declined one-time payment shows as a failed charge of an intent that is paid later', async () => {
  const { stripe, control } = await sandboxWithClient();
  const open = await stripe.checkout.sessions.create({
    mode: 'payment',
    success_url: 'https://shop.example/thanks',
    line_items: [{ price_data: { currency: 'usd', unit_amount: 500, product_data: { name: 'Book' } }, quantity: 2 }],
  });
  expect(control.payCheckout(open.id, { cardNumber: '4000000000009995' })).toMatchObject({
    declineCode: 'insufficient_funds',
  });
  expect(control.payCheckout(open.id)).toMatchObject({ ok: true });
  const session = await stripe.checkout.sessions.retrieve(open.id);
  const charges = await stripe.charges.list({ payment_intent: String(session.payment_intent) });
  expect(charges.data.map(({ status, amount }) => ({ status, amount }))).toEqual([
    { status: 'succeeded', amount: 1000 },
    { status: 'failed', amount: 1000 },
  ]);
});

test('a trial begins without a payment', async () => {
  const { stripe, control } = await sandboxWithClient();
  const { session, subscription } = await boughtSubscription(stripe, control, { data: { trial_period_days: 14 } });
  expect(session).toMatchObject({ payment_status: 'no_payment_required', amount_total: 0 });
  expect(subscription.status).toBe('trialing');
  expect(Number(subscription.trial_end) - Number(subscription.trial_start)).toBe(14 * DAY);
  expect((await stripe.charges.list()).data).toEqual([]);
});

test('a setup session keeps a card for later', async () => {
  const { stripe, control } = await sandboxWithClient();
  const customer = await stripe.customers.create({});
  const open = await stripe.checkout.sessions.create({
    mode: 'setup',
    currency: 'usd',
    customer: customer.id,
    success_url: 'https://shop.example/thanks',
  });
  control.payCheckout(open.id);
  const session = await stripe.checkout.sessions.retrieve(open.id, { expand: ['setup_intent'] });
  expect(session.setup_intent).toMatchObject({ status: 'succeeded', customer: customer.id });
  expect((await stripe.paymentMethods.list({ customer: customer.id })).data).toHaveLength(1);
});

test('a session expires by itself after a day, or when it is told to, and cannot be paid then', async () => {
  const { stripe, control } = await sandboxWithClient();
  const price = await monthlyPrice(stripe);
  const make = () =>
    stripe.checkout.sessions.create({
      mode: 'subscription',
      success_url: 'https://shop.example/thanks',
      line_items: [{ price: price.id, quantity: 1 }],
    });
  const [told, waits] = [await make(), await make()];
  expect((await stripe.checkout.sessions.expire(told.id)).status).toBe('expired');
  await expect(stripe.checkout.sessions.expire(told.id)).rejects.toMatchObject({ statusCode: 400 });
  control.advance({ days: 1.1 });
  expect(await stripe.checkout.sessions.retrieve(waits.id)).toMatchObject({ status: 'expired', url: null });
  expect(() => control.payCheckout(waits.id)).toThrow(/expired/);
  expect(await eventTypes(stripe, 'checkout.session.expired')).toHaveLength(2);
});

test('what does not go together is refused', async () => {
  const { stripe } = await sandboxWithClient();
  const price = await monthlyPrice(stripe);
  const base = { success_url: 'https://shop.example', line_items: [{ price: price.id, quantity: 1 }] };
  const refused = async (params: Stripe.Checkout.SessionCreateParams) =>
    await stripe.checkout.sessions.create(params).then(
      () => null,
      (error: Stripe.errors.StripeError) => error.param ?? error.message,
    );
  expect(await refused({ ...base, mode: 'payment' })).toBe('line_items[0][price]');
  expect(await refused({ ...base, mode: 'subscription', payment_intent_data: {} })).toBe(null);
  expect(await refused({ ...base, mode: 'subscription', payment_intent_data: { description: 'x' } })).toBe(
    'payment_intent_data',
  );
  expect(await refused({ mode: 'subscription', success_url: 'https://shop.example' })).toBe('line_items');
  expect(await refused({ mode: 'subscription', line_items: base.line_items })).toBe('success_url');
});

test('a session can be for cards only, and then takes no bank debit', async () => {
  const { stripe, control } = await sandboxWithClient();
  const session = await stripe.checkout.sessions.create({
    mode: 'payment',
    success_url: 'https://shop.example/thanks',
    allowed_payment_method_types: ['card'],
    line_items: [{ price_data: { currency: 'eur', unit_amount: 500, product_data: { name: 'Book' } }, quantity: 1 }],
  });
  expect(session.payment_method_types).toEqual(['card']);
  expect(control.payCheckout(session.id, { cardNumber: 'DE89370400440532013000' })).toMatchObject({ ok: false });
  expect(control.payCheckout(session.id)).toMatchObject({ ok: true });
});
