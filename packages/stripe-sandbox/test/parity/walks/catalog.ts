import type { Observed } from '../../support/observed.ts';

/** Products, prices, coupons and promotion codes, with everything that can be asked of them. */
export async function walkCatalog({ stripe }: Observed): Promise<void> {
  const product = await stripe.products.create({
    name: 'Pro',
    description: 'For teams',
    images: ['https://shop.example/pro.png'],
    marketing_features: [{ name: 'Fast' }],
    metadata: { tier: '2' },
    statement_descriptor: 'PRO',
    unit_label: 'seat',
    url: 'https://shop.example/pro',
    default_price_data: { currency: 'usd', unit_amount: 1500, recurring: { interval: 'month' } },
    expand: ['default_price'],
  });
  await stripe.products.update(product.id, { name: 'Pro 2', active: false, description: '' });
  await stripe.products.update(product.id, { active: true });
  await stripe.products.retrieve(product.id, { expand: ['default_price'] });
  await stripe.products.list({ active: true, limit: 3, expand: ['data.default_price'] });
  await stripe.products.search({ query: 'active:"true" AND name~"Pro"' });

  const monthly = await stripe.prices.create({
    product: product.id,
    currency: 'usd',
    unit_amount: 2000,
    lookup_key: 'pro_monthly',
    nickname: 'Monthly',
    recurring: { interval: 'month', trial_period_days: 7 },
    tax_behavior: 'exclusive',
  });
  await stripe.prices.create({
    product: product.id,
    currency: 'eur',
    billing_scheme: 'tiered',
    tiers_mode: 'graduated',
    tiers: [
      { up_to: 10, unit_amount: 500 },
      { up_to: 'inf', unit_amount: 400, flat_amount: 100 },
    ],
    recurring: { interval: 'year', usage_type: 'licensed' },
    expand: ['tiers', 'product', 'currency_options'],
  });
  await stripe.prices.create({
    product_data: { name: 'Calls' },
    currency: 'usd',
    unit_amount_decimal: '0.25' as never,
    recurring: { interval: 'month' },
  });
  await stripe.prices.create({
    product: product.id,
    currency: 'usd',
    unit_amount: 900,
    transform_quantity: { divide_by: 5, round: 'up' },
  });
  await stripe.prices.update(monthly.id, { active: false, metadata: { a: 'b' }, nickname: '', lookup_key: 'other' });
  await stripe.prices.retrieve(monthly.id, { expand: ['product'] });
  await stripe.prices.list({ lookup_keys: ['other'], expand: ['data.product'] });
  await stripe.prices.search({ query: `product:"${product.id}"` });

  const gone = await stripe.products.create({ name: 'Gone' });
  await stripe.products.del(gone.id);

  const coupon = await stripe.coupons.create({ percent_off: 12.5, duration: 'repeating', duration_in_months: 3 });
  await stripe.coupons.create({
    id: 'FIVE',
    name: 'Five off',
    amount_off: 500,
    currency: 'usd',
    duration: 'once',
    max_redemptions: 10,
    redeem_by: Math.floor(Date.now() / 1000) + 86_400,
    applies_to: { products: [product.id] },
    expand: ['applies_to'],
  });
  await stripe.coupons.update('FIVE', { name: 'Five', metadata: { a: 'b' } });
  await stripe.coupons.retrieve('FIVE', { expand: ['applies_to'] });
  await stripe.coupons.list({ limit: 5 });
  const code = await stripe.promotionCodes.create({
    promotion: { type: 'coupon', coupon: coupon.id },
    code: 'SPRING',
    max_redemptions: 5,
    restrictions: { first_time_transaction: true, minimum_amount: 100, minimum_amount_currency: 'usd' },
    expand: ['promotion.coupon'],
  });
  await stripe.promotionCodes.retrieve(code.id);
  await stripe.promotionCodes.update(code.id, { active: false, metadata: { a: 'b' } });
  await stripe.promotionCodes.list({ code: 'SPRING', active: false });
  await stripe.coupons.del(coupon.id);
}
