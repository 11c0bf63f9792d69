import Stripe from 'stripe';
import { expect, test } from 'vitest';
import { sandboxWithClient } from './support/sandbox.ts';
import { subscriber } from './support/shop.ts';

test('metadata is merged: keys are set, an empty value removes its key, and an empty string removes all', async () => {
  const { stripe } = await sandboxWithClient();
  const { id } = await stripe.customers.create({ email: 'ann@example.com', metadata: { a: '1', b: '2' } });
  expect((await stripe.customers.update(id, { metadata: { b: '', c: '3' } })).metadata).toEqual({ a: '1', c: '3' });
  expect((await stripe.customers.update(id, { name: 'Ann' })).metadata).toEqual({ a: '1', c: '3' });
  expect((await stripe.customers.update(id, { metadata: '' })).metadata).toEqual({});
});

test('customers are found by e-mail address, in a list and in a search', async () => {
  const { stripe } = await sandboxWithClient();
  const ann = await stripe.customers.create({ email: 'ann@example.com', metadata: { user: 'u1' } });
  await stripe.customers.create({ email: 'bob@example.com' });
  expect((await stripe.customers.list({ email: 'ann@example.com' })).data.map(({ id }) => id)).toEqual([ann.id]);
  const found = await stripe.customers.search({ query: 'email:"ANN@example.com" AND metadata["user"]:"u1"' });
  expect(found.data.map(({ id }) => id)).toEqual([ann.id]);
  await expect(stripe.customers.search({ query: 'whatever' })).rejects.toMatchObject({ param: 'query' });
});

test('a deleted customer stays visible as deleted, and their subscriptions are canceled', async () => {
  const { stripe } = await sandboxWithClient();
  const customer = await subscriber(stripe);
  const price = await stripe.prices.create({
    currency: 'usd',
    unit_amount: 100,
    recurring: { interval: 'month' },
    product_data: { name: 'Pro' },
  });
  const { id } = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: price.id }] });
  await stripe.customers.del(customer.id);
  expect(await stripe.customers.retrieve(customer.id)).toEqual({ id: customer.id, object: 'customer', deleted: true });
  const subscription = await stripe.subscriptions.retrieve(id, { expand: ['customer'] });
  expect(subscription).toMatchObject({ status: 'canceled', customer: { id: customer.id, deleted: true } });
  expect((await stripe.customers.list()).data).toEqual([]);
});

test('a card is attached, listed and detached; then it is no default any more', async () => {
  const { stripe } = await sandboxWithClient();
  const customer = await subscriber(stripe);
  const [method] = (await stripe.paymentMethods.list({ customer: customer.id, type: 'card' })).data;
  expect(method?.card).toMatchObject({ brand: 'visa', last4: '4242', exp_year: 2040 });
  await stripe.paymentMethods.detach(String(method?.id));
  expect((await stripe.paymentMethods.list({ customer: customer.id })).data).toEqual([]);
  const after = (await stripe.customers.retrieve(customer.id)) as Stripe.Customer;
  expect(after.invoice_settings.default_payment_method).toBeNull();
});

test('a card that declines cannot be attached', async () => {
  const { stripe } = await sandboxWithClient();
  const { id } = await stripe.customers.create({});
  const attaching = stripe.paymentMethods.attach('pm_card_visa_chargeDeclined', { customer: id });
  const error = await attaching.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Stripe.errors.StripeCardError);
  expect(error).toMatchObject({ statusCode: 402, code: 'card_declined', decline_code: 'generic_decline' });
  await expect(stripe.customers.create({ payment_method: 'pm_card_visa_chargeDeclined' })).rejects.toMatchObject({
    statusCode: 402,
  });
  expect((await stripe.customers.list()).data.map((customer) => customer.id)).toEqual([id]);
});

test('a setup intent gives a payment method to its customer', async () => {
  const { stripe } = await sandboxWithClient();
  const customer = await stripe.customers.create({});
  const intent = await stripe.setupIntents.create({ customer: customer.id });
  expect(intent.status).toBe('requires_payment_method');
  const done = await stripe.setupIntents.confirm(intent.id, { payment_method: 'pm_card_visa' });
  expect(done.status).toBe('succeeded');
  const methods = await stripe.customers.listPaymentMethods(customer.id);
  expect(methods.data.map(({ id }) => id)).toEqual([done.payment_method]);
});
