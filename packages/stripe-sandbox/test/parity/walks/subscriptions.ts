import type { Observed } from '../../support/observed.ts';
import { DAY, monthlyPrice, subscriber } from '../../support/shop.ts';

/** Subscriptions through their whole life: made, changed, paused, resumed, discounted, canceled. */
export async function walkSubscriptions({ stripe, control }: Observed): Promise<void> {
  const price = await monthlyPrice(stripe);
  const other = await monthlyPrice(stripe, 5000, 'Team');
  const customer = await subscriber(stripe);
  const coupon = await stripe.coupons.create({ percent_off: 10, duration: 'forever' });
  const subscription = await stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price: price.id, quantity: 2, metadata: { a: 'b' } }],
    discounts: [{ coupon: coupon.id }],
    metadata: { plan: 'x' },
    payment_settings: { save_default_payment_method: 'on_subscription' },
    expand: ['latest_invoice.payments', 'customer', 'default_payment_method', 'discounts'],
  });
  await stripe.subscriptions.retrieve(subscription.id, {
    expand: ['items.data.price.product', 'latest_invoice.confirmation_secret', 'pending_setup_intent'],
  });
  await stripe.subscriptions.list({ customer: customer.id, status: 'all', expand: ['data.latest_invoice'] });
  await stripe.subscriptions.search({ query: 'status:"active" AND metadata["plan"]:"x"' });
  await stripe.customers.retrieve(customer.id, { expand: ['subscriptions.data'] });
  const [item] = subscription.items.data;
  await stripe.subscriptions.update(subscription.id, {
    items: [{ id: item?.id as string, price: other.id }],
    proration_behavior: 'always_invoice',
    description: 'Bigger',
    expand: ['latest_invoice.lines'],
  });
  await stripe.subscriptions.update(subscription.id, { pause_collection: { behavior: 'void' } });
  await stripe.subscriptions.update(subscription.id, { pause_collection: '', cancel_at_period_end: true });
  await stripe.subscriptions.update(subscription.id, { cancel_at_period_end: false });

  const added = await stripe.subscriptionItems.create({ subscription: subscription.id, price: price.id, quantity: 1 });
  await stripe.subscriptionItems.retrieve(added.id, { expand: ['price.product'] });
  await stripe.subscriptionItems.update(added.id, { quantity: 4, metadata: { a: 'b' } });
  await stripe.subscriptionItems.list({ subscription: subscription.id });
  await stripe.invoices.createPreview({ subscription: subscription.id, expand: ['lines.data.discounts'] });
  await stripe.invoices.createPreview({
    subscription: subscription.id,
    subscription_details: { items: [{ id: added.id, quantity: 9 }], proration_behavior: 'create_prorations' },
  });
  await stripe.subscriptionItems.del(added.id, { proration_behavior: 'none' });
  await stripe.subscriptions.deleteDiscount(subscription.id);
  await stripe.subscriptions.cancel(subscription.id, {
    invoice_now: true,
    prorate: true,
    cancellation_details: { comment: 'Too big', feedback: 'too_complex' },
  });
  await stripe.subscriptions.retrieve(subscription.id);

  const halted = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  await stripe.subscriptions.pause(halted.id, { invoicing_behavior: 'invoice' });
  await stripe.subscriptions.resume(halted.id);

  const poor = await stripe.customers.create({ email: 'poor@example.com' });
  await stripe.subscriptions.create({
    customer: poor.id,
    items: [{ price: price.id }],
    payment_behavior: 'default_incomplete',
    expand: ['latest_invoice.confirmation_secret', 'latest_invoice.payments'],
  });
  const paused = await stripe.subscriptions.create({
    customer: poor.id,
    items: [{ price: price.id }],
    trial_period_days: 2,
    trial_settings: { end_behavior: { missing_payment_method: 'pause' } },
  });
  control.advance({ days: 3 });
  const method = await stripe.paymentMethods.attach('pm_card_visa', { customer: poor.id });
  await stripe.customers.update(poor.id, { invoice_settings: { default_payment_method: method.id } });
  await stripe.subscriptions.resume(paused.id);
}

/** Time on a test clock: trial, renewals, a card that fails, dunning, the end. */
export async function walkTime({ stripe, control }: Observed): Promise<void> {
  const clock = await stripe.testHelpers.testClocks.create({ frozen_time: 1_767_225_600, name: 'New year' });
  await stripe.testHelpers.testClocks.retrieve(clock.id);
  await stripe.testHelpers.testClocks.list({ limit: 2 });
  const price = await monthlyPrice(stripe);
  const customer = await stripe.customers.create({
    email: 'ann@example.com',
    payment_method: 'pm_card_visa',
    invoice_settings: { default_payment_method: 'pm_card_visa' },
    test_clock: clock.id,
  });
  const trial = await stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price: price.id }],
    trial_period_days: 10,
    expand: ['test_clock', 'customer.test_clock'],
  });
  for (const days of [8, 11, 45]) {
    await stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: clock.frozen_time + days * DAY });
  }
  control.failNextPayment({ customer: customer.id });
  await stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: clock.frozen_time + 75 * DAY });
  for (let time = 0; time < 3; time += 1) control.failNextPayment({ customer: customer.id });
  await stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: clock.frozen_time + 170 * DAY });
  await stripe.subscriptions.retrieve(trial.id, { expand: ['latest_invoice'] });
  await stripe.invoices.list({ customer: customer.id, limit: 100, expand: ['data.payments', 'data.customer'] });
  await stripe.testHelpers.testClocks.del(clock.id);
}

/** Schedules: phases in turn, and every way for one to end. */
export async function walkSchedules({ stripe }: Observed): Promise<void> {
  const clock = await stripe.testHelpers.testClocks.create({ frozen_time: 1_767_225_600 });
  const price = await monthlyPrice(stripe);
  const other = await monthlyPrice(stripe, 5000, 'Team');
  const customer = await stripe.customers.create({
    payment_method: 'pm_card_visa',
    invoice_settings: { default_payment_method: 'pm_card_visa' },
    test_clock: clock.id,
  });
  const month = { interval: 'month', interval_count: 1 } as const;
  const phases = [
    { items: [{ price: price.id, quantity: 1 }], duration: month },
    { items: [{ price: other.id, quantity: 2 }], duration: month, metadata: { phase: '2' } },
  ];
  const schedule = await stripe.subscriptionSchedules.create({
    customer: customer.id,
    start_date: 'now',
    end_behavior: 'cancel',
    phases,
    expand: ['subscription', 'customer'],
  });
  await stripe.subscriptionSchedules.update(schedule.id, { metadata: { a: 'b' } });
  await stripe.subscriptionSchedules.retrieve(schedule.id, { expand: ['phases.items.price'] });
  for (const days of [32, 54, 61]) {
    await stripe.testHelpers.testClocks.advance(clock.id, { frozen_time: clock.frozen_time + days * DAY });
  }
  const later = clock.frozen_time + 90 * DAY;
  const planned = await stripe.subscriptionSchedules.create({ customer: customer.id, start_date: later, phases });
  await stripe.subscriptionSchedules.list({ customer: customer.id, scheduled: true });
  await stripe.subscriptionSchedules.cancel(planned.id);
  const subscription = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  const taken = await stripe.subscriptionSchedules.create({ from_subscription: subscription.id });
  await stripe.subscriptions.retrieve(subscription.id, { expand: ['schedule'] });
  await stripe.subscriptionSchedules.release(taken.id);
}
