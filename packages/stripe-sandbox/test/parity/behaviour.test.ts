import type Stripe from 'stripe';
import { expect, test } from 'vitest';
import { sandboxWithClient } from '../support/sandbox.ts';
import { DAY, eventTypes, monthlyPrice, payingCustomer, subscriber } from '../support/shop.ts';

const NEW_YEAR = 1_767_225_600;

async function clockedSubscriber(stripe: Stripe): Promise<{ customer: Stripe.Customer; clock: string }> {
  const clock = await stripe.testHelpers.testClocks.create({ frozen_time: NEW_YEAR });
  const customer = await stripe.customers.create({
    payment_method: 'pm_card_visa',
    invoice_settings: { default_payment_method: 'pm_card_visa' },
    test_clock: clock.id,
  });
  return { customer, clock: clock.id };
}

test('a schedule begins its subscription, turns it over at each phase, and cancels it at its end', async () => {
  const { stripe } = await sandboxWithClient();
  const { customer, clock } = await clockedSubscriber(stripe);
  const small = await monthlyPrice(stripe, 1000, 'Small');
  const large = await monthlyPrice(stripe, 4000, 'Large');
  const month = { interval: 'month', interval_count: 1 } as const;
  const schedule = await stripe.subscriptionSchedules.create({
    customer: customer.id,
    start_date: 'now',
    end_behavior: 'cancel',
    phases: [
      { items: [{ price: small.id }], duration: month },
      { items: [{ price: large.id, quantity: 2 }], duration: month },
    ],
  });
  const id = schedule.subscription as string;
  expect(await stripe.subscriptions.retrieve(id)).toMatchObject({ status: 'active', schedule: schedule.id });

  await stripe.testHelpers.testClocks.advance(clock, { frozen_time: NEW_YEAR + 32 * DAY });
  const turned = await stripe.subscriptions.retrieve(id, { expand: ['latest_invoice'] });
  expect(turned.items.data.map(({ price, quantity }) => [price.id, quantity])).toEqual([[large.id, 2]]);
  expect(turned.latest_invoice).toMatchObject({ billing_reason: 'subscription_cycle', total: 8000, status: 'paid' });

  await stripe.testHelpers.testClocks.advance(clock, { frozen_time: NEW_YEAR + 70 * DAY });
  expect((await stripe.subscriptions.retrieve(id)).status).toBe('canceled');
  expect((await stripe.subscriptionSchedules.retrieve(schedule.id)).status).toBe('completed');
  expect(await eventTypes(stripe, 'subscription_schedule.')).toEqual([
    'subscription_schedule.created',
    'subscription_schedule.updated',
    'subscription_schedule.updated',
    'subscription_schedule.expiring',
    'subscription_schedule.completed',
  ]);
});

test('a schedule that is let go leaves its subscription as it is', async () => {
  const { stripe } = await sandboxWithClient();
  const { customer, clock } = await clockedSubscriber(stripe);
  const price = await monthlyPrice(stripe);
  const { id } = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  const schedule = await stripe.subscriptionSchedules.create({ from_subscription: id });
  expect(schedule).toMatchObject({ status: 'active', subscription: id, end_behavior: 'release' });
  const released = await stripe.subscriptionSchedules.release(schedule.id);
  expect(released).toMatchObject({ status: 'released', subscription: null, released_subscription: id });
  await stripe.testHelpers.testClocks.advance(clock, { frozen_time: NEW_YEAR + 40 * DAY });
  expect(await stripe.subscriptions.retrieve(id)).toMatchObject({ status: 'active', schedule: null });
});

test('a customer is entitled to what the products of their live subscriptions are for', async () => {
  const { stripe } = await sandboxWithClient();
  const feature = await stripe.entitlements.features.create({ name: 'Export', lookup_key: 'export' });
  const price = await monthlyPrice(stripe);
  await stripe.products.createFeature(price.product as string, { entitlement_feature: feature.id });
  const customer = await subscriber(stripe);
  const active = async () =>
    (await stripe.entitlements.activeEntitlements.list({ customer: customer.id })).data.map((one) => one.lookup_key);
  expect(await active()).toEqual([]);
  const subscription = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  expect(await active()).toEqual(['export']);
  await stripe.subscriptions.cancel(subscription.id);
  expect(await active()).toEqual([]);
  const events = await stripe.events.list({ type: 'entitlements.active_entitlement_summary.updated' });
  expect(events.data).toHaveLength(2);
});

test('a preview says what the next invoice will be, and changes nothing', async () => {
  const { stripe } = await sandboxWithClient();
  const { customer, clock } = await clockedSubscriber(stripe);
  const small = await monthlyPrice(stripe, 1000, 'Small');
  const large = await monthlyPrice(stripe, 4000, 'Large');
  const subscription = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: small.id }] });
  const item = subscription.items.data[0]?.id as string;
  await stripe.testHelpers.testClocks.advance(clock, { frozen_time: NEW_YEAR + 15.5 * DAY });
  const change = { items: [{ id: item, price: large.id }] };
  const invoicesBefore = await stripe.invoices.list({ customer: customer.id });

  const next = await stripe.invoices.createPreview({ subscription: subscription.id });
  expect(next).toMatchObject({ total: 1000, status: 'draft', billing_reason: 'upcoming' });
  const tried = await stripe.invoices.createPreview({ subscription: subscription.id, subscription_details: change });
  expect(tried.lines.data.map(({ amount }) => amount)).toEqual([-500, 2000, 4000]);

  expect((await stripe.invoices.list({ customer: customer.id })).data).toEqual(invoicesBefore.data);
  expect((await stripe.subscriptions.retrieve(subscription.id)).items.data[0]?.price.id).toBe(small.id);
  expect((await stripe.invoiceItems.list({ customer: customer.id })).data).toEqual([]);

  await stripe.subscriptions.update(subscription.id, change);
  await stripe.testHelpers.testClocks.advance(clock, { frozen_time: NEW_YEAR + 32 * DAY });
  const [renewal] = (await stripe.invoices.list({ customer: customer.id, limit: 1 })).data;
  expect(renewal?.total).toBe(tried.total);
});

test('an invoice made by hand takes what waits for it, and is paid', async () => {
  const { stripe } = await sandboxWithClient();
  const customer = await subscriber(stripe);
  await stripe.invoiceItems.create({ customer: customer.id, amount: 1200, currency: 'usd', description: 'Work' });
  const empty = await stripe.invoices.create({ customer: customer.id });
  expect(empty.total).toBe(0);
  const invoice = await stripe.invoices.create({
    customer: customer.id,
    pending_invoice_items_behavior: 'include',
  });
  await stripe.invoiceItems.create({
    customer: customer.id,
    invoice: invoice.id as string,
    amount: -200,
    currency: 'usd',
  });
  const paid = await stripe.invoices.pay(invoice.id as string);
  expect(paid).toMatchObject({ status: 'paid', total: 1000, amount_paid: 1000, billing_reason: 'manual' });
  expect(paid.lines.data.map(({ description, amount }) => [description, amount])).toEqual([
    ['Work', 1200],
    ['Invoice item', -200],
  ]);
  expect((await stripe.invoiceItems.list({ customer: customer.id, pending: true })).data).toEqual([]);
});

test('held money is taken in part or let go', async () => {
  const { stripe } = await sandboxWithClient();
  const hold = () =>
    stripe.paymentIntents.create({
      amount: 3000,
      currency: 'usd',
      capture_method: 'manual',
      confirm: true,
      payment_method: 'pm_card_visa',
    });
  const taken = await hold();
  expect(taken).toMatchObject({ status: 'requires_capture', amount_capturable: 3000, amount_received: 0 });
  const captured = await stripe.paymentIntents.capture(taken.id, { amount_to_capture: 2500 });
  expect(captured).toMatchObject({ status: 'succeeded', amount_capturable: 0, amount_received: 2500 });
  const letGo = await stripe.paymentIntents.cancel((await hold()).id, { cancellation_reason: 'abandoned' });
  expect(letGo).toMatchObject({ status: 'canceled', amount_capturable: 0, cancellation_reason: 'abandoned' });
  const charge = await stripe.charges.retrieve(letGo.latest_charge as string);
  expect(charge).toMatchObject({ captured: false, refunded: true, amount_refunded: 3000 });
});

test('a trial that is ended without a payment method pauses, cancels or is invoiced, as was asked for', async () => {
  const { stripe } = await sandboxWithClient();
  const price = await monthlyPrice(stripe);
  const customer = await stripe.customers.create({ email: 'ann@example.com' });
  const endings = { pause: 'paused', cancel: 'canceled', create_invoice: 'past_due' } as const;
  for (const [missing_payment_method, status] of Object.entries(endings)) {
    const trial = await stripe.subscriptions.create({
      customer: customer.id,
      items: [{ price: price.id }],
      trial_period_days: 7,
      trial_settings: { end_behavior: { missing_payment_method: missing_payment_method as keyof typeof endings } },
    });
    expect((await stripe.subscriptions.update(trial.id, { trial_end: 'now' })).status).toBe(status);
  }
});

test('a customer’s coupon counts for invoices that have no discount of their own', async () => {
  const { stripe } = await sandboxWithClient();
  const coupon = await stripe.coupons.create({ percent_off: 25, duration: 'forever' });
  const customer = await payingCustomer(stripe);
  await stripe.rawRequest('POST', `/v1/customers/${customer.id}`, { coupon: coupon.id });
  await stripe.invoiceItems.create({ customer: customer.id, amount: 1000, currency: 'usd' });
  const invoice = await stripe.invoices.create({
    customer: customer.id,
    pending_invoice_items_behavior: 'include',
  });
  expect(invoice).toMatchObject({ subtotal: 1000, total: 750 });
  expect(await eventTypes(stripe, 'customer.discount.')).toEqual(['customer.discount.created']);
});

test('every kind that Stripe searches can be searched, page by page', async () => {
  const { stripe } = await sandboxWithClient();
  for (const name of ['Ann', 'Bea', 'Cleo']) await stripe.customers.create({ name, metadata: { team: 'a' } });
  await stripe.customers.create({ name: 'Dora', metadata: { team: 'b' } });
  const first = await stripe.customers.search({ query: 'metadata["team"]:"a"', limit: 2 });
  expect(first.data.map(({ name }) => name)).toEqual(['Cleo', 'Bea']);
  expect(first.has_more).toBe(true);
  const second = await stripe.customers.search({
    query: 'metadata["team"]:"a"',
    limit: 2,
    page: first.next_page as string,
  });
  expect(second.data.map(({ name }) => name)).toEqual(['Ann']);
  const since = Math.floor(Date.now() / 1000) - 60;
  expect((await stripe.customers.search({ query: `created>${since}` })).data).toHaveLength(4);
  await stripe.products.create({ name: 'Pro' });
  expect((await stripe.products.search({ query: '-active:"true"' })).data).toEqual([]);
});

test.each([
  ['colour:"red"', 'unsupported search field'],
  ['name~"An"', 'at least 3 characters'],
  ['name:"Ann" AND email:"a@b.c" OR name:"Bea"', 'not with both'],
  ['name', 'unable to parse'],
])('a search for %s is refused', async (query, why) => {
  const { stripe } = await sandboxWithClient();
  await expect(stripe.customers.search({ query })).rejects.toThrow(why);
});

test('a paused subscription is neither renewed nor invoiced, and gives back what was paid for; then it goes on', async () => {
  const { stripe } = await sandboxWithClient();
  const { customer, clock } = await clockedSubscriber(stripe);
  const price = await monthlyPrice(stripe, 3100);
  const { id } = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  await stripe.testHelpers.testClocks.advance(clock, { frozen_time: NEW_YEAR + 10 * DAY });
  expect((await stripe.subscriptions.pause(id)).status).toBe('paused');
  const [credit] = (await stripe.invoiceItems.list({ customer: customer.id, pending: true })).data;
  expect(credit).toMatchObject({ amount: -2100, proration: true });
  await stripe.testHelpers.testClocks.advance(clock, { frozen_time: NEW_YEAR + 100 * DAY });
  expect((await stripe.invoices.list({ customer: customer.id })).data).toHaveLength(1);
  const resumed = await stripe.subscriptions.resume(id, { expand: ['latest_invoice'] });
  expect(resumed).toMatchObject({ status: 'active', latest_invoice: { status: 'paid', total: 1000 } });
  expect(resumed.items.data[0]?.current_period_start).toBe(NEW_YEAR + 100 * DAY);
});

test('credit on a customer is noted, and the next invoice takes it', async () => {
  const { stripe } = await sandboxWithClient();
  const customer = await subscriber(stripe);
  await stripe.customers.createBalanceTransaction(customer.id, { amount: -1500, currency: 'usd' });
  await stripe.invoiceItems.create({ customer: customer.id, amount: 1000, currency: 'usd' });
  const invoice = await stripe.invoices.create({
    customer: customer.id,
    pending_invoice_items_behavior: 'include',
  });
  const paid = await stripe.invoices.finalizeInvoice(invoice.id as string);
  expect(paid).toMatchObject({ status: 'paid', amount_due: 0, starting_balance: -1500, ending_balance: -500 });
  const entries = (await stripe.customers.listBalanceTransactions(customer.id)).data;
  expect(entries.map(({ type, amount, ending_balance }) => [type, amount, ending_balance])).toEqual([
    ['applied_to_invoice', 1000, -500],
    ['adjustment', -1500, -1500],
  ]);
});

test('a card whose bank wants to be asked is set up when its customer confirms it, and not when they refuse', async () => {
  const { stripe } = await sandboxWithClient();
  const customer = await stripe.customers.create({ email: 'ann@example.com' });
  const ask = async () => {
    const setup = await stripe.setupIntents.create({
      customer: customer.id,
      confirm: true,
      payment_method: 'pm_card_authenticationRequiredOnSetup',
    });
    expect(setup).toMatchObject({ status: 'requires_action', next_action: { type: 'redirect_to_url' } });
    return { id: setup.id, url: setup.next_action?.redirect_to_url?.url as string };
  };
  const answer = (url: string, authentication: string) =>
    fetch(url, { method: 'POST', body: new URLSearchParams({ authentication }) });

  const refused = await ask();
  await answer(refused.url, 'failed');
  expect(await stripe.setupIntents.retrieve(refused.id)).toMatchObject({
    status: 'requires_payment_method',
    last_setup_error: { code: 'setup_intent_authentication_failure' },
  });
  const confirmed = await ask();
  expect((await answer(confirmed.url, 'succeeded')).status).toBe(200);
  const done = await stripe.setupIntents.retrieve(confirmed.id);
  expect(done).toMatchObject({ status: 'succeeded', next_action: null });
  const paid = await stripe.paymentIntents.create({
    amount: 500,
    currency: 'usd',
    customer: customer.id,
    confirm: true,
    off_session: true,
    payment_method: done.payment_method as string,
  });
  expect(paid.status).toBe('succeeded');
  expect((await answer(confirmed.url, 'succeeded')).status).toBe(410);
});

test('a card that asks again is confirmed for one payment at a time', async () => {
  const { stripe } = await sandboxWithClient();
  const customer = await stripe.customers.create({ email: 'ann@example.com' });
  const method = await stripe.paymentMethods.attach('pm_card_authenticationRequired', { customer: customer.id });
  for (let time = 0; time < 2; time += 1) {
    const intent = await stripe.paymentIntents.create({
      amount: 500,
      currency: 'usd',
      customer: customer.id,
      confirm: true,
      payment_method: method.id,
    });
    expect(intent.status).toBe('requires_action');
    const url = intent.next_action?.redirect_to_url?.url as string;
    await fetch(url, { method: 'POST', body: new URLSearchParams({ authentication: 'succeeded' }) });
    expect((await stripe.paymentIntents.retrieve(intent.id)).status).toBe('succeeded');
  }
});
