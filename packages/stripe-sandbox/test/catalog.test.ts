import { expect, test } from 'vitest';
import { receiver, sandboxWithClient } from './support/sandbox.ts';

test('a product and its prices are made, changed and listed', async () => {
  const { stripe } = await sandboxWithClient();
  const product = await stripe.products.create({
    name: 'Pro',
    metadata: { app: 'notes' },
    marketing_features: [{ name: 'All' }],
  });
  const price = await stripe.prices.create({
    product: product.id,
    currency: 'USD',
    unit_amount: 2000,
    recurring: { interval: 'month' },
    lookup_key: 'pro_monthly',
  });
  expect(price).toMatchObject({ currency: 'usd', unit_amount: 2000, type: 'recurring', product: product.id });
  const updated = await stripe.products.update(product.id, {
    default_price: price.id,
    metadata: { tier: '2', app: '' },
  });
  expect(updated.default_price).toBe(price.id);
  expect(updated.metadata).toEqual({ tier: '2' });
  const found = await stripe.prices.list({ lookup_keys: ['pro_monthly'], expand: ['data.product'] });
  expect(found.data.map(({ id }) => id)).toEqual([price.id]);
  expect(found.data[0]?.product).toMatchObject({ id: product.id, name: 'Pro' });
});

test('a lookup key moves to another price only when that is asked for', async () => {
  const { stripe } = await sandboxWithClient();
  const product = await stripe.products.create({ name: 'Pro' });
  const make = (transfer?: boolean) =>
    stripe.prices.create({
      product: product.id,
      currency: 'usd',
      unit_amount: 100,
      lookup_key: 'pro',
      ...(transfer === undefined ? {} : { transfer_lookup_key: transfer }),
    });
  const first = await make();
  await expect(make()).rejects.toMatchObject({ statusCode: 400, param: 'lookup_key' });
  const second = await make(true);
  expect(second.lookup_key).toBe('pro');
  expect((await stripe.prices.retrieve(first.id)).lookup_key).toBeNull();
});

test('tiers show only when they are expanded', async () => {
  const { stripe } = await sandboxWithClient();
  const price = await stripe.prices.create({
    currency: 'usd',
    product_data: { name: 'Seats' },
    billing_scheme: 'tiered',
    tiers_mode: 'graduated',
    tiers: [
      { up_to: 5, unit_amount: 1000 },
      { up_to: 'inf', unit_amount: 800 },
    ],
    recurring: { interval: 'month' },
  });
  expect(price.tiers).toBeUndefined();
  const expanded = await stripe.prices.retrieve(price.id, { expand: ['tiers'] });
  expect(expanded.tiers).toMatchObject([
    { up_to: 5, unit_amount: 1000 },
    { up_to: null, unit_amount: 800 },
  ]);
});

test('a product with prices cannot be deleted, one without can', async () => {
  const { stripe } = await sandboxWithClient();
  const { id } = await stripe.products.create({
    name: 'Pro',
    default_price_data: { currency: 'usd', unit_amount: 100 },
  });
  await expect(stripe.products.del(id)).rejects.toMatchObject({ statusCode: 400 });
  const empty = await stripe.products.create({ name: 'Empty' });
  expect(await stripe.products.del(empty.id)).toMatchObject({ id: empty.id, object: 'product', deleted: true });
  await expect(stripe.products.retrieve(empty.id)).rejects.toMatchObject({ code: 'resource_missing' });
});

test('every change is an event that says what was there before, delivered signed', async () => {
  const hook = await receiver();
  const { stripe, control } = await sandboxWithClient({ webhooks: [hook] });
  const product = await stripe.products.create({ name: 'Pro' });
  await stripe.products.update(product.id, { name: 'Max' });
  await control.settled();
  const events = hook.received.map(({ body, signature }) =>
    stripe.webhooks.constructEvent(body, signature, hook.secret),
  );
  expect(events.map(({ type }) => type).sort()).toEqual(['product.created', 'product.updated']);
  const update = events.find(({ type }) => type === 'product.updated');
  expect(update?.data.previous_attributes).toMatchObject({ name: 'Pro' });
  expect(update?.request?.id).toMatch(/^req_/);
  const listed = await stripe.events.list({ type: 'product.updated' });
  expect(listed.data.map(({ id }) => id)).toEqual([update?.id]);
});

test('a product whose default price is refused is not made either', async () => {
  const { stripe } = await sandboxWithClient();
  const params = { name: 'Pro', default_price_data: { currency: 'usd' } };
  await expect(stripe.products.create(params)).rejects.toMatchObject({ param: 'unit_amount' });
  expect((await stripe.products.list()).data).toEqual([]);
});
