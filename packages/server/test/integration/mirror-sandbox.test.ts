/** The mirror against the sandbox: whatever a purchase goes through, what is known follows Stripe. */
import type { SubscriptionFact } from '@tollgate/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type MirrorShop, startMirrorShop } from '../support/mirror-shop.ts';

let shop: MirrorShop;
let mirror: MirrorShop['mirror'];
let sandbox: MirrorShop['sandbox'];
let stripe: MirrorShop['stripe'];
let monthly: string;
let lifetime: string;
let open: MirrorShop['open'];
let paid: MirrorShop['pay'];
let access: MirrorShop['access'];
let followTime: MirrorShop['followTime'];

beforeAll(async () => {
  shop = await startMirrorShop();
  ({ mirror, sandbox, stripe, monthly, lifetime, open, pay: paid, access, followTime } = shop);
});
afterAll(async () => shop.close());

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

  it('a subscription that nobody pays is canceled in the end, and known to have given nothing after its grace', async () => {
    const { id, stripeCustomerId } = await open('subscription', [monthly]);
    const { subscription } = await paid(id);
    const card = await stripe.paymentMethods.attach('pm_card_chargeCustomerFail', { customer: stripeCustomerId });
    await stripe.subscriptions.update(subscription, { default_payment_method: card.id });
    const { items } = await stripe.subscriptions.retrieve(subscription);
    const owedSince = (items.data[0]?.current_period_end ?? 0) * 1000;
    sandbox.control.advance({ days: 60 });
    followTime();
    await mirror.sync('checkout_session', id);
    expect(await mirror.fact(subscription)).toMatchObject({ status: 'canceled', pastDueSince: owedSince });
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
