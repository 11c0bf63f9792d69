import type Stripe from 'stripe';
import { expect, test } from 'vitest';
import { sandboxWithClient } from './support/sandbox.ts';
import { boughtSubscription } from './support/shop.ts';

test('a configuration says what customers may do, and is changed in part', async () => {
  const { stripe } = await sandboxWithClient();
  const product = await stripe.products.create({ name: 'Pro' });
  const price = await stripe.prices.create({
    product: product.id,
    currency: 'usd',
    unit_amount: 100,
    recurring: { interval: 'month' },
  });
  const made = await stripe.billingPortal.configurations.create({
    business_profile: { headline: 'Notes' },
    features: {
      subscription_cancel: { enabled: true, mode: 'at_period_end' },
      subscription_update: {
        enabled: true,
        default_allowed_updates: ['price'],
        products: [{ product: product.id, prices: [price.id] }],
      },
    },
    metadata: { app: 'notes' },
  });
  expect(made).toMatchObject({
    active: true,
    is_default: false,
    features: { subscription_cancel: { enabled: true }, invoice_history: { enabled: false } },
  });
  const changed = await stripe.billingPortal.configurations.update(made.id, {
    features: { invoice_history: { enabled: true } },
  });
  expect(changed.features).toMatchObject({
    invoice_history: { enabled: true },
    subscription_cancel: { enabled: true },
    subscription_update: { products: [{ product: product.id, prices: [price.id] }] },
  });
  const listed = await stripe.billingPortal.configurations.list({ active: true });
  expect(listed.data.map(({ id }) => id)).toEqual([made.id]);
});

test('a configuration cannot offer what does not exist', async () => {
  const { stripe } = await sandboxWithClient();
  const features: Stripe.BillingPortal.ConfigurationCreateParams.Features = {
    subscription_update: { enabled: true, products: [{ product: 'prod_nothing', prices: ['price_nothing'] }] },
  };
  await expect(stripe.billingPortal.configurations.create({ features })).rejects.toMatchObject({
    code: 'resource_missing',
  });
});

test('a session has an address of its own and takes the default configuration', async () => {
  const { stripe, sandbox } = await sandboxWithClient();
  const customer = await stripe.customers.create({});
  const session = await stripe.billingPortal.sessions.create({
    customer: customer.id,
    return_url: 'https://shop.example/account',
  });
  expect(session.url.startsWith(`${sandbox.url}/p/session/`)).toBe(true);
  expect(session.return_url).toBe('https://shop.example/account');
  const configuration = await stripe.billingPortal.configurations.retrieve(String(session.configuration));
  expect(configuration.is_default).toBe(true);
});

test('a session can be for canceling one subscription, which has to exist', async () => {
  const { stripe, control } = await sandboxWithClient();
  const { subscription } = await boughtSubscription(stripe, control);
  const flow = (id: string): Stripe.BillingPortal.SessionCreateParams => ({
    customer: String(subscription.customer),
    flow_data: { type: 'subscription_cancel', subscription_cancel: { subscription: id } },
  });
  const session = await stripe.billingPortal.sessions.create(flow(subscription.id));
  expect(session.flow).toMatchObject({
    type: 'subscription_cancel',
    subscription_cancel: { subscription: subscription.id },
  });
  await expect(stripe.billingPortal.sessions.create(flow('sub_nothing'))).rejects.toMatchObject({
    code: 'resource_missing',
  });
});
