/** The mirror against the sandbox: whatever a purchase goes through, what is known follows Stripe. */
import type { SubscriptionFact } from '@tollgate/core';
import { type Sandbox, startSandbox } from '@tollgate/stripe-sandbox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Stripe } from '../../src/stripe/types.ts';
import { INSTALLATION, type Mirror, startMirror } from '../support/mirror-world.ts';

let sandbox: Sandbox;
let mirror: Mirror;
let stripe: Stripe;
let project: string;
let monthly: string;
let lifetime: string;
let count = 0;

beforeAll(async () => {
  sandbox = await startSandbox({ seed: 7 });
  mirror = await startMirror(sandbox.url);
  stripe = mirror.deps.connections.get('default').client;
  project = await mirror.addProject('a');
  const metadata = { tollgate_installation: INSTALLATION, tollgate_project: project };
  const product = await stripe.products.create({ name: 'Pro', metadata });
  const recurring = { interval: 'month' as const };
  monthly = (await stripe.prices.create({ product: product.id, currency: 'eur', unit_amount: 900, recurring })).id;
  lifetime = (await stripe.prices.create({ product: product.id, currency: 'eur', unit_amount: 5000 })).id;
  expect(await mirror.sync('price', monthly)).toMatchObject({ status: 'applied', projectId: project });
  expect(await mirror.sync('price', lifetime)).toMatchObject({ status: 'applied', projectId: project });
  const mapping = { project_id: project, owner_type: 'product', owner_id: product.id, code: 'pro' } as const;
  await mirror.database.db
    .insertInto('tollgate.mappings')
    .values({ ...mapping, value: null, access_days: null })
    .execute();
});
afterAll(async () => {
  await mirror.close();
  await sandbox.close();
});

/** A checkout session of a new customer, as Tollgate makes them. */
async function open(
  mode: 'payment' | 'subscription',
  prices: string[],
  extra: Stripe.Checkout.SessionCreateParams = {},
) {
  const externalId = `user_${++count}`;
  const customerId = await mirror.addCustomer(project, externalId);
  const metadata = {
    tollgate_installation: INSTALLATION,
    tollgate_project: project,
    tollgate_customer: customerId,
  };
  const customer = await stripe.customers.create({ metadata });
  const session = await stripe.checkout.sessions.create({
    mode,
    customer: customer.id,
    line_items: prices.map((price) => ({ price, quantity: 1 })),
    success_url: 'https://app.example/done',
    metadata,
    ...(mode === 'payment' ? { payment_intent_data: { metadata } } : { subscription_data: { metadata } }),
    ...extra,
  });
  return { id: session.id, externalId, customerId, stripeCustomerId: customer.id };
}

async function paid(id: string) {
  sandbox.control.payCheckout(id);
  const session = await stripe.checkout.sessions.retrieve(id);
  return { subscription: session.subscription as string, intent: session.payment_intent as string };
}

/** The mirror's clock follows the sandbox's. */
function followTime(): void {
  mirror.setNow(sandbox.control.state().now * 1000);
}

const access = (externalId: string) => {
  followTime();
  return mirror.access(project, externalId);
};

describe('with a Stripe that lives', () => {
  it('a subscription bought at checkout grants, renews, falls behind and ends', async () => {
    const { id, externalId, customerId, stripeCustomerId } = await open('subscription', [monthly]);
    followTime();
    expect(await mirror.sync('checkout_session', id)).toMatchObject({ status: 'ignored', reason: 'nothing_bought' });
    const { subscription } = await paid(id);
    expect(await mirror.sync('checkout_session', id)).toMatchObject({ status: 'applied', customerId });
    expect(await access(externalId)).toEqual({ entitled: true, reason: 'subscription_active' });

    sandbox.control.failNextPayment({ customer: stripeCustomerId });
    sandbox.control.advance({ days: 32 });
    await mirror.sync('subscription', subscription);
    expect(await mirror.fact(subscription)).toMatchObject({ status: 'past_due', pastDueSince: expect.any(Number) });
    expect(await access(externalId)).toEqual({ entitled: true, reason: 'subscription_grace' });

    await stripe.subscriptions.cancel(subscription);
    expect(await mirror.sync('subscription', subscription)).toMatchObject({ status: 'applied' });
    expect(await access(externalId)).toEqual({ entitled: false, reason: 'canceled' });
    expect(await mirror.sync('subscription', subscription)).toMatchObject({ status: 'unchanged' });
  });

  it('a scheduled end is known, and taken back', async () => {
    const { id } = await open('subscription', [monthly]);
    const { subscription } = await paid(id);
    await stripe.subscriptions.update(subscription, { cancel_at_period_end: true });
    await mirror.sync('subscription', subscription);
    const scheduled = (await mirror.fact(subscription)) as { cancelAt: number | null; cancelAtPeriodEnd: boolean };
    expect(scheduled.cancelAt !== null || scheduled.cancelAtPeriodEnd).toBe(true);
    await stripe.subscriptions.update(subscription, { cancel_at_period_end: false });
    await mirror.sync('subscription', subscription);
    expect(await mirror.fact(subscription)).toMatchObject({ cancelAt: null, cancelAtPeriodEnd: false });
  });

  it('a trial without a payment method does not count on being continued', async () => {
    const { id, customerId } = await open('subscription', [monthly], {
      payment_method_collection: 'if_required',
      subscription_data: {
        trial_period_days: 14,
        trial_settings: { end_behavior: { missing_payment_method: 'cancel' } },
      },
    });
    const { subscription } = await paid(id);
    expect(await mirror.sync('checkout_session', id)).toMatchObject({ status: 'applied', customerId });
    expect(await mirror.fact(subscription)).toMatchObject({
      status: 'trialing',
      trialEndBehavior: 'cancel',
      trialEnd: expect.any(Number),
    });
  });

  it('a purchase is refunded and given back, disputed and won', async () => {
    const { id, externalId } = await open('payment', [lifetime]);
    const { intent } = await paid(id);
    expect(await mirror.sync('checkout_session', id)).toMatchObject({ status: 'applied' });
    expect(await access(externalId)).toEqual({ entitled: true, reason: 'purchase' });

    const refund = sandbox.control.refund(intent);
    sandbox.control.advance({ seconds: 5 });
    await mirror.sync('payment', intent);
    expect(await access(externalId)).toEqual({ entitled: false, reason: 'refunded' });
    sandbox.control.failRefund(refund.id);
    await mirror.sync('payment', intent);
    expect(await access(externalId)).toEqual({ entitled: true, reason: 'purchase' });

    const dispute = sandbox.control.dispute(intent);
    sandbox.control.advance({ seconds: 5 });
    await mirror.sync('payment', intent);
    expect(await access(externalId)).toEqual({ entitled: false, reason: 'disputed' });
    sandbox.control.closeDispute(dispute.id, 'won');
    await mirror.sync('payment', intent);
    expect(await access(externalId)).toEqual({ entitled: true, reason: 'purchase' });
  });

  it('a deleted customer’s subscription ends, and the next checkout makes another customer', async () => {
    const { id, externalId, customerId, stripeCustomerId } = await open('subscription', [monthly]);
    await paid(id);
    await mirror.sync('checkout_session', id);
    await stripe.customers.del(stripeCustomerId);
    sandbox.control.advance({ seconds: 5 });
    followTime();
    expect(await mirror.sync('customer', stripeCustomerId)).toMatchObject({ reason: 'stripe_customer_deleted' });
    expect(await access(externalId)).toEqual({ entitled: false, reason: 'canceled' });
    const row = await mirror.database.db
      .selectFrom('tollgate.customers')
      .select(['stripe_customer_id', 'stripe_generation'])
      .where('id', '=', customerId)
      .executeTakeFirstOrThrow();
    expect(row).toEqual({ stripe_customer_id: null, stripe_generation: 1 });
  });

  it('a coupon of the subscription is known, and the tiers of a price', async () => {
    const { id } = await open('subscription', [monthly]);
    const { subscription } = await paid(id);
    const off = await stripe.coupons.create({ percent_off: 50, duration: 'forever' });
    const { product } = await stripe.prices.retrieve(monthly);
    const tiered = await stripe.prices.create({
      product: product as string,
      currency: 'eur',
      recurring: { interval: 'month' },
      billing_scheme: 'tiered',
      tiers_mode: 'graduated',
      tiers: [
        { up_to: 10, unit_amount: 100 },
        { up_to: 'inf', unit_amount: 50 },
      ],
    });
    await stripe.subscriptions.update(subscription, {
      discounts: [{ coupon: off.id }],
      items: [{ price: tiered.id, quantity: 12 }],
    });
    await mirror.sync('checkout_session', id);
    const fact = (await mirror.fact(subscription)) as SubscriptionFact;
    expect(fact.discounts).toMatchObject([{ percentOff: 50, duration: 'forever' }]);
    const item = fact.items.find(({ priceId }) => priceId === tiered.id);
    expect(item).toMatchObject({ quantity: 12 });
    expect(item?.price).toMatchObject({
      tiersMode: 'graduated',
      tiers: [
        { upTo: 10, unitAmountDecimal: '100' },
        { upTo: null, unitAmountDecimal: '50' },
      ],
    });
  });

  it('a lifetime feature bought beside a subscription outlives it', async () => {
    const { id, externalId } = await open('subscription', [monthly, lifetime]);
    const { subscription } = await paid(id);
    await mirror.sync('checkout_session', id);
    expect(await mirror.fact(id)).toMatchObject({ kind: 'purchase', status: 'paid' });
    await stripe.subscriptions.cancel(subscription);
    await mirror.sync('subscription', subscription);
    sandbox.control.advance({ seconds: 5 });
    expect(await access(externalId)).toEqual({ entitled: true, reason: 'purchase' });
  });
});
