import type Stripe from 'stripe';
import { expect, test } from 'vitest';
import { sandboxWithClient } from './support/sandbox.ts';
import { boughtSubscription, DAY, eventTypes, monthlyPrice, subscriber } from './support/shop.ts';

test('over a year a monthly subscription is renewed and paid twelve times, month by month', async () => {
  const { stripe, control } = await sandboxWithClient();
  const { subscription } = await boughtSubscription(stripe, control);
  control.advance({ days: 366 });
  const invoices: Stripe.Invoice[] = [];
  for await (const invoice of stripe.invoices.list({ subscription: subscription.id })) invoices.unshift(invoice);
  expect(invoices).toHaveLength(13);
  expect(invoices.every(({ status, amount_paid }) => status === 'paid' && amount_paid === 2000)).toBe(true);
  expect(invoices.slice(1).every((invoice) => invoice.billing_reason === 'subscription_cycle')).toBe(true);
  const periods = invoices.slice(1).map((invoice) => invoice.lines.data[0]?.period);
  periods.slice(1).forEach((period, index) => {
    expect(period?.start).toBe(periods[index]?.end);
  });
  const [item] = (await stripe.subscriptions.retrieve(subscription.id)).items.data;
  expect(item?.current_period_end).toBe(periods.at(-1)?.end);
});

test('events carry the time at which they happened, in order', async () => {
  const { stripe, control } = await sandboxWithClient();
  await boughtSubscription(stripe, control);
  control.advance({ days: 200 });
  const times: number[] = [];
  for await (const event of stripe.events.list({ limit: 100 })) times.unshift(event.created);
  expect(times).toEqual([...times].sort((a, b) => a - b));
  expect(new Set(times).size).toBeGreaterThan(6);
});

test('a trial is announced, ends, and is then paid for', async () => {
  const { stripe, control } = await sandboxWithClient();
  const { subscription } = await boughtSubscription(stripe, control, { data: { trial_period_days: 14 } });
  control.advance({ days: 11.5 });
  const [notice] = (await stripe.events.list({ type: 'customer.subscription.trial_will_end' })).data;
  expect(notice?.created).toBe(Number(subscription.trial_end) - 3 * DAY);
  expect((await stripe.subscriptions.retrieve(subscription.id)).status).toBe('trialing');
  control.advance({ days: 3 });
  const after = await stripe.subscriptions.retrieve(subscription.id, { expand: ['latest_invoice'] });
  expect(after).toMatchObject({ status: 'active', latest_invoice: { status: 'paid', amount_paid: 2000 } });
  expect(after.items.data[0]?.current_period_start).toBe(subscription.trial_end);
});

test('a failed renewal is tried again, and when the last try fails the subscription is canceled', async () => {
  const { stripe, control } = await sandboxWithClient({ account: { retryAfterDays: [3, 5] } });
  const { subscription } = await boughtSubscription(stripe, control, { cardNumber: '4000000000000341' });
  const end = Number(subscription.items.data[0]?.current_period_end);
  control.advance({ to: end + 60 });
  const owed = await stripe.subscriptions.retrieve(subscription.id, { expand: ['latest_invoice', 'customer'] });
  expect(owed).toMatchObject({
    status: 'past_due',
    latest_invoice: { status: 'open', attempt_count: 1, next_payment_attempt: end + 3 * DAY },
    customer: { delinquent: true },
  });
  control.advance({ days: 9 });
  const after = await stripe.subscriptions.retrieve(subscription.id, { expand: ['latest_invoice'] });
  expect(after).toMatchObject({
    status: 'canceled',
    cancellation_details: { reason: 'payment_failed' },
    latest_invoice: { status: 'open', attempt_count: 3, next_payment_attempt: null },
  });
  expect(await eventTypes(stripe, 'invoice.payment_failed')).toHaveLength(3);
});

test('the account may leave what is owed unpaid instead, and later invoices stay drafts', async () => {
  const { stripe, control } = await sandboxWithClient({ account: { retryAfterDays: [], afterRetries: 'unpaid' } });
  const { subscription } = await boughtSubscription(stripe, control, { cardNumber: '4000000000000341' });
  control.advance({ days: 65 });
  expect((await stripe.subscriptions.retrieve(subscription.id)).status).toBe('unpaid');
  const invoices = (await stripe.invoices.list({ subscription: subscription.id })).data;
  expect(invoices.map(({ status }) => status)).toEqual(['draft', 'open', 'paid']);
});

test('a renewal that is paid at the second try makes the subscription active again', async () => {
  const { stripe, control } = await sandboxWithClient();
  const { subscription } = await boughtSubscription(stripe, control);
  control.failNextPayment({ customer: String(subscription.customer) });
  control.advance({ days: 32 });
  expect((await stripe.subscriptions.retrieve(subscription.id)).status).toBe('past_due');
  control.advance({ days: 3 });
  expect((await stripe.subscriptions.retrieve(subscription.id)).status).toBe('active');
});

test('items with different intervals are renewed each in its own time', async () => {
  const { stripe, control } = await sandboxWithClient();
  const customer = await subscriber(stripe);
  const monthly = await monthlyPrice(stripe, 1000);
  const weekly = await stripe.prices.create({
    currency: 'usd',
    unit_amount: 300,
    recurring: { interval: 'week' },
    product_data: { name: 'Support' },
  });
  const { id } = await stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price: monthly.id }, { price: weekly.id }],
  });
  control.advance({ days: 22 });
  const invoices = (await stripe.invoices.list({ subscription: id })).data;
  expect(invoices.map(({ total }) => total)).toEqual([300, 300, 300, 1300]);
});

test('a renewal’s invoice can stay a draft for an hour, as it does at Stripe', async () => {
  const { stripe, control } = await sandboxWithClient({ account: { renewalDraftSeconds: 3600 } });
  const { subscription } = await boughtSubscription(stripe, control);
  const end = Number(subscription.items.data[0]?.current_period_end);
  control.advance({ to: end + 60 });
  const [draft] = (await stripe.invoices.list({ subscription: subscription.id })).data;
  expect(draft).toMatchObject({ status: 'draft', automatically_finalizes_at: end + 3600 });
  control.advance({ to: end + 3700 });
  expect((await stripe.invoices.retrieve(String(draft?.id))).status).toBe('paid');
});

test('the 31st becomes the last day of shorter months, and comes back', async () => {
  const { stripe } = await sandboxWithClient();
  const jan31 = Date.UTC(2027, 0, 31) / 1000;
  const clock = await stripe.testHelpers.testClocks.create({ frozen_time: jan31 });
  const customer = await stripe.customers.create({ test_clock: clock.id });
  const method = await stripe.paymentMethods.attach('pm_card_visa', { customer: customer.id });
  const price = await monthlyPrice(stripe);
  const subscription = await stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price: price.id }],
    default_payment_method: method.id,
  });
  const ends = [subscription.items.data[0]?.current_period_end];
  for (const month of [2, 3]) {
    await stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: Date.UTC(2027, month, 1) / 1000 });
    ends.push((await stripe.subscriptions.retrieve(subscription.id)).items.data[0]?.current_period_end);
  }
  expect(ends.map((end) => new Date(Number(end) * 1000).toISOString().slice(0, 10))).toEqual([
    '2027-02-28',
    '2027-03-31',
    '2027-04-30',
  ]);
});

test('a test clock moves only its own customers, and cannot go back', async () => {
  const { stripe, control } = await sandboxWithClient();
  const now = control.state().now;
  const clock = await stripe.testHelpers.testClocks.create({ frozen_time: now });
  const price = await monthlyPrice(stripe);
  const make = async (test_clock?: string) => {
    const customer = await stripe.customers.create(test_clock === undefined ? {} : { test_clock });
    const method = await stripe.paymentMethods.attach('pm_card_visa', { customer: customer.id });
    return await stripe.subscriptions.create({
      customer: customer.id,
      items: [{ price: price.id }],
      default_payment_method: method.id,
    });
  };
  const [frozen, free] = [await make(clock.id), await make()];
  const advanced = await stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: now + 40 * DAY });
  expect(advanced.status).toBe('advancing');
  expect(await stripe.testHelpers.testClocks.retrieve(clock.id)).toMatchObject({
    status: 'ready',
    frozen_time: now + 40 * DAY,
  });
  expect((await stripe.invoices.list({ subscription: frozen.id })).data).toHaveLength(2);
  expect((await stripe.invoices.list({ subscription: free.id })).data).toHaveLength(1);
  const back = stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: now });
  await expect(back).rejects.toMatchObject({ param: 'frozen_time' });
  await stripe.testHelpers.testClocks.del(clock.id);
  await expect(stripe.subscriptions.retrieve(frozen.id)).rejects.toMatchObject({ code: 'resource_missing' });
});

test('time cannot be turned back', async () => {
  const { control } = await sandboxWithClient();
  expect(() => control.advance({ to: control.state().now - 10 })).toThrow(/cannot go back/);
});
