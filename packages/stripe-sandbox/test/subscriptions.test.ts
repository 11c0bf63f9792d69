import Stripe from 'stripe';
import { expect, test } from 'vitest';
import { sandboxWithClient } from './support/sandbox.ts';
import { DAY, eventTypes, monthlyPrice, subscriber } from './support/shop.ts';

async function subscribed(card?: string) {
  const world = await sandboxWithClient();
  const { stripe } = world;
  const customer = await subscriber(stripe, card);
  const price = await monthlyPrice(stripe);
  const subscription = await stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price: price.id }],
    metadata: { user: 'u1' },
  });
  return { ...world, customer, price, subscription };
}

test('a subscription over the API is paid with the customer’s default card', async () => {
  const { subscription } = await subscribed();
  expect(subscription.status).toBe('active');
  expect(subscription.items.data[0]?.quantity).toBe(1);
});

test('without any payment method a subscription that costs something is refused', async () => {
  const { stripe } = await sandboxWithClient();
  const price = await monthlyPrice(stripe);
  const customer = await stripe.customers.create({});
  const items = [{ price: price.id }];
  await expect(stripe.subscriptions.create({ customer: customer.id, items })).rejects.toMatchObject({
    statusCode: 400,
  });
  const later = await stripe.subscriptions.create({
    customer: customer.id,
    items,
    payment_behavior: 'default_incomplete',
    expand: ['latest_invoice.confirmation_secret'],
  });
  expect(later).toMatchObject({
    status: 'incomplete',
    latest_invoice: { status: 'open', confirmation_secret: { type: 'payment_intent' } },
  });
});

test('an unpaid first invoice leaves the subscription incomplete, and after 23 hours it expires', async () => {
  const { stripe, control, customer, price } = await subscribed();
  control.failNextPayment({ customer: customer.id });
  const subscription = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  expect(subscription.status).toBe('incomplete');
  control.advance({ days: 1 });
  const after = await stripe.subscriptions.retrieve(subscription.id, { expand: ['latest_invoice'] });
  expect(after).toMatchObject({ status: 'incomplete_expired', latest_invoice: { status: 'void' } });
});

test('paying the first invoice activates an incomplete subscription', async () => {
  const { stripe, control, customer, price } = await subscribed();
  control.failNextPayment({ customer: customer.id });
  const waiting = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  expect(waiting.status).toBe('incomplete');
  await stripe.invoices.pay(String(waiting.latest_invoice));
  expect((await stripe.subscriptions.retrieve(waiting.id)).status).toBe('active');
});

test('error_if_incomplete makes nothing when the card is declined', async () => {
  const { stripe, control, customer, price } = await subscribed();
  control.failNextPayment({ customer: customer.id });
  const creating = stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price: price.id }],
    payment_behavior: 'error_if_incomplete',
  });
  await expect(creating).rejects.toBeInstanceOf(Stripe.errors.StripeCardError);
  expect((await stripe.subscriptions.list({ customer: customer.id, status: 'all' })).data).toHaveLength(1);
});

test('cancel_at_period_end plans the end, can be taken back, and then ends nothing', async () => {
  const { stripe, control, subscription } = await subscribed();
  const end = subscription.items.data[0]?.current_period_end;
  const planned = await stripe.subscriptions.update(subscription.id, { cancel_at_period_end: true });
  expect(planned).toMatchObject({ cancel_at_period_end: true, cancel_at: end, status: 'active' });
  expect(planned.cancellation_details?.reason).toBe('cancellation_requested');
  const kept = await stripe.subscriptions.update(subscription.id, { cancel_at_period_end: false });
  expect(kept).toMatchObject({ cancel_at_period_end: false, cancel_at: null, canceled_at: null });
  control.advance({ days: 40 });
  expect((await stripe.subscriptions.retrieve(subscription.id)).status).toBe('active');
});

test('a planned end comes: the subscription is canceled at that moment, and no renewal is invoiced', async () => {
  const { stripe, control, subscription } = await subscribed();
  await stripe.subscriptions.update(subscription.id, { cancel_at_period_end: true });
  control.advance({ days: 40 });
  const after = await stripe.subscriptions.retrieve(subscription.id);
  expect(after).toMatchObject({ status: 'canceled', ended_at: subscription.items.data[0]?.current_period_end });
  expect((await stripe.invoices.list({ subscription: subscription.id })).data).toHaveLength(1);
  const [deleted] = (await stripe.events.list({ type: 'customer.subscription.deleted' })).data;
  expect(deleted?.created).toBe(after.ended_at);
});

test('cancel_at by date, and by the period of an item, leaves cancel_at_period_end alone', async () => {
  const { stripe, subscription } = await subscribed();
  const end = Number(subscription.items.data[0]?.current_period_end);
  const dated = await stripe.subscriptions.update(subscription.id, { cancel_at: end - DAY });
  expect(dated).toMatchObject({ cancel_at: end - DAY, cancel_at_period_end: false });
  const byItem = await stripe.subscriptions.update(subscription.id, { cancel_at: 'min_period_end' });
  expect(byItem).toMatchObject({ cancel_at: end, cancel_at_period_end: false });
  expect((await stripe.subscriptions.update(subscription.id, { cancel_at: '' })).cancel_at).toBeNull();
});

test('canceled at once it is gone from the plain list, but not from the list of all', async () => {
  const { stripe, customer, subscription } = await subscribed();
  const canceled = await stripe.subscriptions.cancel(subscription.id, { cancellation_details: { comment: 'bye' } });
  expect(canceled).toMatchObject({ status: 'canceled', cancellation_details: { comment: 'bye' } });
  expect((await stripe.subscriptions.list({ customer: customer.id })).data).toEqual([]);
  const all = await stripe.subscriptions.list({ customer: customer.id, status: 'all' });
  expect(all.data.map(({ id }) => id)).toEqual([subscription.id]);
  await expect(stripe.subscriptions.cancel(subscription.id)).rejects.toMatchObject({ code: 'resource_missing' });
  await expect(stripe.subscriptions.update(subscription.id, { cancel_at_period_end: true })).rejects.toMatchObject({
    statusCode: 400,
  });
});

test('a change says what was there before', async () => {
  const { stripe, subscription } = await subscribed();
  await stripe.subscriptions.update(subscription.id, { metadata: { user: 'u2' } });
  const [event] = (await stripe.events.list({ type: 'customer.subscription.updated' })).data;
  expect(event?.data.previous_attributes).toEqual({ metadata: { user: 'u1' } });
});

test('an upgrade in mid-period is charged at the next renewal, in part', async () => {
  const { stripe, control, subscription } = await subscribed();
  const dearer = await monthlyPrice(stripe, 6000, 'Max');
  control.advance({ days: 15 });
  const [item] = subscription.items.data;
  await stripe.subscriptions.update(subscription.id, { items: [{ id: String(item?.id), price: dearer.id }] });
  control.advance({ days: 20 });
  const [renewal] = (await stripe.invoices.list({ subscription: subscription.id })).data;
  expect(renewal?.lines.data).toHaveLength(3);
  const [credit, charge, next] = renewal?.lines.data ?? [];
  expect(credit?.amount).toBeLessThan(0);
  expect(charge?.amount).toBe(-3 * Number(credit?.amount));
  expect(next?.amount).toBe(6000);
  expect(renewal?.total).toBe(Number(credit?.amount) + Number(charge?.amount) + 6000);
  expect(credit?.parent?.subscription_item_details?.proration).toBe(true);
});

test('always_invoice charges an upgrade at once', async () => {
  const { stripe, subscription } = await subscribed();
  const [item] = subscription.items.data;
  const more = await stripe.subscriptions.update(subscription.id, {
    items: [{ id: String(item?.id), quantity: 3 }],
    proration_behavior: 'always_invoice',
    expand: ['latest_invoice'],
  });
  expect(more.latest_invoice).toMatchObject({
    billing_reason: 'subscription_update',
    status: 'paid',
    amount_paid: 4000,
  });
});

test('changing to another interval begins a new cycle', async () => {
  const { stripe, control, subscription } = await subscribed();
  const yearly = await stripe.prices.create({
    currency: 'usd',
    unit_amount: 20_000,
    recurring: { interval: 'year' },
    product_data: { name: 'Pro' },
  });
  control.advance({ days: 10 });
  const [item] = subscription.items.data;
  const after = await stripe.subscriptions.update(subscription.id, {
    items: [{ id: String(item?.id), price: yearly.id }],
    expand: ['latest_invoice'],
  });
  const [newItem] = after.items.data;
  expect(Number(newItem?.current_period_end) - Number(newItem?.current_period_start)).toBeGreaterThan(364 * DAY);
  expect((after.latest_invoice as Stripe.Invoice).total).toBeLessThan(20_000);
  expect((after.latest_invoice as Stripe.Invoice).total).toBeGreaterThan(18_000);
});

test('items that cannot be changed change nothing', async () => {
  const { stripe, subscription, price } = await subscribed();
  const refused = (items: Stripe.SubscriptionUpdateParams.Item[]) =>
    stripe.subscriptions.update(subscription.id, { items, metadata: { changed: 'yes' } }).then(
      () => null,
      (error: Stripe.errors.StripeError) => error.param,
    );
  const [item] = subscription.items.data;
  expect(await refused([{ id: 'si_nothing', quantity: 2 }])).toBe('items[0][id]');
  expect(await refused([{ price: price.id }])).toBe('items[0][price]');
  expect(await refused([{ id: String(item?.id), deleted: true }])).toBe('items');
  expect((await stripe.subscriptions.retrieve(subscription.id)).metadata).toEqual({ user: 'u1' });
});

test('while collection is paused renewals are voided, until it resumes by itself', async () => {
  const { stripe, control, subscription } = await subscribed();
  const resumes = Number(subscription.items.data[0]?.current_period_end) + 5 * DAY;
  await stripe.subscriptions.update(subscription.id, { pause_collection: { behavior: 'void', resumes_at: resumes } });
  control.advance({ days: 65 });
  const invoices = (await stripe.invoices.list({ subscription: subscription.id })).data;
  expect(invoices.map(({ status }) => status)).toEqual(['paid', 'void', 'paid']);
  const after = await stripe.subscriptions.retrieve(subscription.id);
  expect(after).toMatchObject({ status: 'active', pause_collection: null });
});

test('ending a trial now begins the paid period now', async () => {
  const { stripe, customer, price } = await subscribed();
  const trial = await stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price: price.id }],
    trial_period_days: 30,
  });
  expect(trial.status).toBe('trialing');
  const paid = await stripe.subscriptions.update(trial.id, { trial_end: 'now', expand: ['latest_invoice'] });
  expect(paid).toMatchObject({ status: 'active', latest_invoice: { amount_paid: 2000, status: 'paid' } });
});

test('a trial without a card can pause the subscription, which is resumed once there is one', async () => {
  const { stripe, control, price } = await subscribed();
  const customer = await stripe.customers.create({});
  const trial = await stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price: price.id }],
    trial_period_days: 7,
    trial_settings: { end_behavior: { missing_payment_method: 'pause' } },
  });
  control.advance({ days: 8 });
  expect((await stripe.subscriptions.retrieve(trial.id)).status).toBe('paused');
  expect(await eventTypes(stripe, 'customer.subscription.paused')).toHaveLength(1);
  const method = await stripe.paymentMethods.attach('pm_card_visa', { customer: customer.id });
  await stripe.subscriptions.update(trial.id, { default_payment_method: method.id });
  expect((await stripe.subscriptions.resume(trial.id)).status).toBe('active');
});

test('items are listed by page, and only ten show inside the subscription', async () => {
  const { stripe } = await sandboxWithClient();
  const customer = await subscriber(stripe);
  const items: { price: string }[] = [];
  for (let index = 0; index < 12; index += 1) items.push({ price: (await monthlyPrice(stripe, 100 + index)).id });
  const subscription = await stripe.subscriptions.create({ customer: customer.id, items });
  expect(subscription.items).toMatchObject({ has_more: true });
  expect(subscription.items.data).toHaveLength(10);
  const seen: string[] = [];
  for await (const item of stripe.subscriptionItems.list({ subscription: subscription.id, limit: 5 }))
    seen.push(item.price.id);
  expect(seen).toEqual(items.map(({ price }) => price));
});

test('items are added, changed and removed one by one', async () => {
  const { stripe, subscription } = await subscribed();
  const extra = await monthlyPrice(stripe, 500, 'Support');
  const item = await stripe.subscriptionItems.create({ subscription: subscription.id, price: extra.id });
  expect(item).toMatchObject({ object: 'subscription_item', price: { id: extra.id }, quantity: 1 });
  expect((await stripe.subscriptionItems.update(item.id, { quantity: 4 })).quantity).toBe(4);
  expect((await stripe.subscriptions.retrieve(subscription.id)).items.data).toHaveLength(2);
  expect(await stripe.subscriptionItems.del(item.id)).toMatchObject({ id: item.id, deleted: true });
  await expect(stripe.subscriptionItems.retrieve(item.id)).rejects.toMatchObject({ statusCode: 404 });
});
