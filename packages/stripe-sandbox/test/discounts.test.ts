import type Stripe from 'stripe';
import { expect, test } from 'vitest';
import { sandboxWithClient } from './support/sandbox.ts';
import { monthlyPrice, subscriber } from './support/shop.ts';

async function invoiceTotals(stripe: Stripe, subscription: string): Promise<number[]> {
  const { data } = await stripe.invoices.list({ subscription });
  return data.map(({ total }) => total).reverse();
}

test('a coupon that is good once takes something off the first invoice only', async () => {
  const { stripe, control } = await sandboxWithClient();
  const coupon = await stripe.coupons.create({ percent_off: 25, duration: 'once' });
  const customer = await subscriber(stripe);
  const price = await monthlyPrice(stripe, 2000);
  const subscription = await stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price: price.id }],
    discounts: [{ coupon: coupon.id }],
    expand: ['discounts.source.coupon', 'latest_invoice'],
  });
  expect(subscription.discounts).toMatchObject([{ source: { coupon: { id: coupon.id, percent_off: 25 } } }]);
  expect(subscription.latest_invoice).toMatchObject({ subtotal: 2000, total: 1500, amount_paid: 1500 });
  control.advance({ days: 32 });
  expect(await invoiceTotals(stripe, subscription.id)).toEqual([1500, 2000]);
});

test('a repeating coupon is good for so many months', async () => {
  const { stripe, control } = await sandboxWithClient();
  const coupon = await stripe.coupons.create({
    amount_off: 500,
    currency: 'usd',
    duration: 'repeating',
    duration_in_months: 2,
  });
  const customer = await subscriber(stripe);
  const price = await monthlyPrice(stripe, 2000);
  const { id } = await stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price: price.id }],
    discounts: [{ coupon: coupon.id }],
  });
  control.advance({ days: 95 });
  expect(await invoiceTotals(stripe, id)).toEqual([1500, 1500, 2000, 2000]);
});

test('a promotion code leads to its coupon at the checkout, so often as it may be redeemed', async () => {
  const { stripe, control } = await sandboxWithClient();
  const coupon = await stripe.coupons.create({ percent_off: 100, duration: 'forever' });
  const code = await stripe.promotionCodes.create({
    promotion: { type: 'coupon', coupon: coupon.id },
    code: 'FREE',
    max_redemptions: 1,
  });
  const found = await stripe.promotionCodes.list({ code: 'free', expand: ['data.promotion.coupon'] });
  expect(found.data[0]?.promotion.coupon).toMatchObject({ percent_off: 100 });
  const price = await monthlyPrice(stripe, 2000);
  const params: Stripe.Checkout.SessionCreateParams = {
    mode: 'subscription',
    success_url: 'https://shop.example',
    line_items: [{ price: price.id, quantity: 1 }],
    discounts: [{ promotion_code: code.id }],
  };
  const session = await stripe.checkout.sessions.create(params);
  expect(session).toMatchObject({ amount_subtotal: 2000, amount_total: 0, total_details: { amount_discount: 2000 } });
  expect(control.payCheckout(session.id)).toMatchObject({ ok: true });
  const [subscription] = (await stripe.subscriptions.list()).data;
  expect(subscription?.status).toBe('active');
  expect((await stripe.promotionCodes.retrieve(code.id)).times_redeemed).toBe(1);
  await expect(stripe.checkout.sessions.create(params)).rejects.toMatchObject({
    param: 'discounts[0][promotion_code]',
  });
});

test('coupons need one kind of reduction, and codes are unique', async () => {
  const { stripe } = await sandboxWithClient();
  await expect(stripe.coupons.create({ duration: 'once' })).rejects.toMatchObject({ statusCode: 400 });
  await expect(stripe.coupons.create({ amount_off: 5 })).rejects.toMatchObject({ param: 'currency' });
  const coupon = await stripe.coupons.create({ id: 'WELCOME', percent_off: 10 });
  expect((await stripe.coupons.retrieve('WELCOME')).id).toBe(coupon.id);
  const promotion = { type: 'coupon' as const, coupon: coupon.id };
  await stripe.promotionCodes.create({ promotion, code: 'HI' });
  await expect(stripe.promotionCodes.create({ promotion, code: 'hi' })).rejects.toMatchObject({ param: 'code' });
  expect(await stripe.coupons.del('WELCOME')).toMatchObject({ deleted: true });
});

test('a code that is typed at the checkout counts where the session allows codes', async () => {
  const { stripe, control } = await sandboxWithClient();
  const coupon = await stripe.coupons.create({ percent_off: 50, duration: 'once' });
  await stripe.promotionCodes.create({ promotion: { type: 'coupon', coupon: coupon.id }, code: 'HALF' });
  const price = await monthlyPrice(stripe, 2000);
  const make = (allowed: boolean) =>
    stripe.checkout.sessions.create({
      mode: 'subscription',
      success_url: 'https://shop.example',
      line_items: [{ price: price.id, quantity: 1 }],
      allow_promotion_codes: allowed,
    });
  const [open, closed] = [await make(true), await make(false)];
  const refused = { ok: false, declineCode: 'invalid_promotion_code' };
  expect(control.payCheckout(open.id, { promotionCode: 'WRONG' })).toMatchObject(refused);
  expect(control.payCheckout(closed.id, { promotionCode: 'HALF' })).toMatchObject(refused);
  expect(control.payCheckout(open.id, { promotionCode: 'half' })).toMatchObject({ ok: true });
  const session = await stripe.checkout.sessions.retrieve(open.id, { expand: ['invoice'] });
  expect(session).toMatchObject({ amount_total: 1000, invoice: { amount_paid: 1000 } });
});

test('a coupon that is deleted is redeemed no more, and stays good where it was', async () => {
  const { stripe, control } = await sandboxWithClient();
  const coupon = await stripe.coupons.create({ percent_off: 25, duration: 'forever' });
  const customer = await subscriber(stripe);
  const items = [{ price: (await monthlyPrice(stripe, 2000)).id }];
  const discounts = [{ coupon: coupon.id }];
  const { id } = await stripe.subscriptions.create({ customer: customer.id, items, discounts });
  await stripe.coupons.del(coupon.id);
  control.advance({ days: 32 });
  expect(await invoiceTotals(stripe, id)).toEqual([1500, 1500]);
  const kept = await stripe.subscriptions.retrieve(id, { expand: ['discounts.source.coupon'] });
  expect(kept.discounts).toMatchObject([{ source: { coupon: { percent_off: 25, valid: false } } }]);
  await expect(stripe.coupons.retrieve(coupon.id)).rejects.toMatchObject({ code: 'resource_missing' });
  await expect(stripe.subscriptions.create({ customer: customer.id, items, discounts })).rejects.toMatchObject({
    param: 'discounts[0][coupon]',
  });
  expect((await stripe.coupons.list()).data).toEqual([]);
});
