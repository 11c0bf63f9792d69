import Stripe from 'stripe';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Sandbox, startSandbox } from '../src/index.ts';

let sandbox: Sandbox;
let stripe: Stripe;
let price: Stripe.Price;

beforeAll(async () => {
  sandbox = await startSandbox({ seed: 1 });
  stripe = new Stripe('sk_test_pages', { host: '127.0.0.1', port: sandbox.port, protocol: 'http' });
  const product = await stripe.products.create({ name: 'Pro <b>' });
  price = await stripe.prices.create({
    product: product.id,
    currency: 'usd',
    unit_amount: 1200,
    recurring: { interval: 'month' },
  });
});

afterAll(() => sandbox.close());

async function newSession(
  extra: Partial<Stripe.Checkout.SessionCreateParams> = {},
): Promise<Stripe.Checkout.Session & { url: string }> {
  const session = await stripe.checkout.sessions.create({
    mode: 'subscription',
    line_items: [{ price: price.id, quantity: 2 }],
    success_url: 'http://127.0.0.1:9/thanks?session_id={CHECKOUT_SESSION_ID}',
    cancel_url: 'http://127.0.0.1:9/pricing',
    ...extra,
  });
  return { ...session, url: session.url ?? '' };
}

async function pay(
  url: string,
  fields: Record<string, string>,
): Promise<{ status: number; text: string; to: string | null }> {
  const answer = await fetch(`${url}/pay`, { method: 'POST', redirect: 'manual', body: new URLSearchParams(fields) });
  return { status: answer.status, text: await answer.text(), to: answer.headers.get('location') };
}

async function read(url: string): Promise<{ status: number; text: string }> {
  const answer = await fetch(url, { redirect: 'manual' });
  return { status: answer.status, text: await answer.text() };
}

test('the page shows what is bought, for how much, and the way out', async () => {
  const { url } = await newSession();
  const { status, text } = await read(url);
  expect(status).toBe(200);
  expect(text).toContain('Pro &lt;b&gt;');
  expect(text).toContain('$24.00');
  expect(text).toContain('2 × $12.00');
  expect(text).toContain('per month');
  expect(text).toContain('href="http://127.0.0.1:9/pricing"');
  expect(text).toContain('name="card_number"');
});

test('the number alone pays, and leads to the success address with the session in it', async () => {
  const { id, url } = await newSession();
  const { status, to } = await pay(url, { card_number: '4242424242424242' });
  expect(status).toBe(303);
  expect(to).toBe(`http://127.0.0.1:9/thanks?session_id=${id}`);
  expect(await stripe.checkout.sessions.retrieve(id)).toMatchObject({ status: 'complete', payment_status: 'paid' });
});

test('a session is paid once', async () => {
  const { url } = await newSession();
  await pay(url, { card_number: '4242424242424242' });
  const again = await pay(url, { card_number: '4242424242424242' });
  expect(again.status).toBe(410);
  expect(again.text).toContain('Already paid');
  expect((await read(url)).status).toBe(410);
});

test('a decline is told on the page, and the session stays open', async () => {
  const { id, url } = await newSession();
  const { status, text } = await pay(url, { card_number: '4000000000000002', email: 'ada@example.com' });
  expect(status).toBe(402);
  expect(text).toContain('Your card was declined.');
  expect(text).toContain('value="ada@example.com"');
  expect(await stripe.checkout.sessions.retrieve(id)).toMatchObject({ status: 'open', payment_status: 'unpaid' });
});

test('what is wrong with a field is told at the field', async () => {
  const { url } = await newSession();
  const { status, text } = await pay(url, { card_number: '4242', email: 'nobody', cvc: '1', expiry: '01/20' });
  expect(status).toBe(400);
  for (const id of ['card_number-error', 'email-error', 'cvc-error', 'expiry-error'])
    expect(text).toContain(`id="${id}"`);
});

test('a card that asks the bank is paid with after it was confirmed, and only then', async () => {
  const { id, url } = await newSession();
  const card_number = '4000002500003155';
  const asked = await pay(url, { card_number });
  expect(asked.status).toBe(200);
  expect(asked.text).toContain('Confirm with your bank');
  const refused = await pay(url, { card_number, authentication: 'failed' });
  expect(refused.status).toBe(402);
  expect(await stripe.checkout.sessions.retrieve(id)).toMatchObject({ status: 'open' });
  const confirmed = await pay(url, { card_number, authentication: 'succeeded' });
  expect(confirmed.status).toBe(303);
});

test('a test card fills itself in, and nothing typed is lost', async () => {
  const { id, url } = await newSession();
  const { status, text } = await pay(url, { email: 'ada@', card_number: '42', cvc: '777', fill: '4000000000000341' });
  expect(status).toBe(200);
  expect(text).toContain('value="4000 0000 0000 0341"');
  expect(text).toContain('value="ada@"');
  expect(text).toContain('value="777"');
  expect(text).not.toContain('aria-invalid="true"');
  expect(await stripe.checkout.sessions.retrieve(id)).toMatchObject({ status: 'open' });
});

test('a trial says when it ends and what comes then', async () => {
  const { url } = await newSession({ subscription_data: { trial_period_days: 14 } });
  const { text } = await read(url);
  expect(text).toMatch(/14 days free, until \d+ \w+ \d{4}\. Then \$24\.00 per month/);
  expect(text).toContain('$0.00');
  expect(text).toContain('Start the trial');
});

test('a free order needs no card', async () => {
  const free = await stripe.prices.create({ product: price.product as string, currency: 'usd', unit_amount: 0 });
  const { id, url } = await newSession({ mode: 'payment', line_items: [{ price: free.id, quantity: 1 }] });
  expect((await read(url)).text).not.toContain('name="card_number"');
  expect((await pay(url, { email: 'ada@example.com' })).status).toBe(303);
  expect(await stripe.checkout.sessions.retrieve(id)).toMatchObject({ payment_status: 'no_payment_required' });
});

test("the customer's e-mail address is shown and cannot be changed", async () => {
  const customer = await stripe.customers.create({ email: 'known@example.com' });
  const { url } = await newSession({ customer: customer.id });
  const { text } = await read(url);
  expect(text).toContain('known@example.com');
  expect(text).not.toContain('name="email"');
});

test('an expired session says so and leads back', async () => {
  const { id, url } = await newSession();
  await stripe.checkout.sessions.expire(id);
  const { status, text } = await read(url);
  expect(status).toBe(410);
  expect(text).toContain('This checkout has expired');
  expect(text).toContain('http://127.0.0.1:9/pricing');
  expect((await pay(url, { card_number: '4242424242424242' })).status).toBe(410);
});

test('an address without a session is not found', async () => {
  expect((await read(`${sandbox.url}/c/pay/cs_test_none`)).status).toBe(404);
});

test("another site's form does not pay", async () => {
  const { id, url } = await newSession();
  const answer = await fetch(`${url}/pay`, {
    method: 'POST',
    headers: { origin: 'https://evil.example' },
    body: new URLSearchParams({ card_number: '4242424242424242' }),
  });
  expect(answer.status).toBe(403);
  expect(await stripe.checkout.sessions.retrieve(id)).toMatchObject({ status: 'open' });
});

test('a promotion code lowers the price, one that is none is told, and Enter pays with it', async () => {
  const coupon = await stripe.coupons.create({ percent_off: 50, duration: 'forever' });
  await stripe.promotionCodes.create({ promotion: { type: 'coupon', coupon: coupon.id }, code: 'HALF' });
  const { id, url } = await newSession({ allow_promotion_codes: true });
  expect((await read(url)).text).toContain('name="promotion_code"');
  const wrong = await pay(url, { card_number: '4242424242424242', promotion_code: 'NOTHING', apply: '1' });
  expect(wrong.status).toBe(400);
  expect(wrong.text).toContain('This code is not valid.');
  const applied = await pay(url, { card_number: '42', promotion_code: 'HALF', apply: '1' });
  expect(applied.status).toBe(200);
  expect(applied.text).toContain('−$12.00');
  expect(applied.text).toContain('The code is applied.');
  expect(applied.text).not.toContain('aria-invalid="true"');
  expect((await pay(url, { card_number: '4242424242424242', promotion_code: 'HALF' })).status).toBe(303);
  expect(await stripe.checkout.sessions.retrieve(id)).toMatchObject({ amount_total: 1200, status: 'complete' });
});

test('a session that takes no codes shows no field for them', async () => {
  const { url } = await newSession();
  expect((await read(url)).text).not.toContain('promotion_code');
});

test('a discount that is good once does not promise the same price for ever', async () => {
  const coupon = await stripe.coupons.create({ percent_off: 25, duration: 'once', name: 'Autumn' });
  await stripe.promotionCodes.create({ promotion: { type: 'coupon', coupon: coupon.id }, code: 'ONCE' });
  const { url } = await newSession({ allow_promotion_codes: true });
  const { text } = await pay(url, { promotion_code: 'ONCE', apply: '1' });
  expect(text).toMatch(/\$18\.00<\/span> <span class="soft">due today/);
  expect(text).toContain('Then $24.00 per month');
});

test('a quantity is changed within its limits, and nobody pays a total that they have not seen', async () => {
  const { id, url } = await newSession({
    line_items: [{ price: price.id, quantity: 2, adjustable_quantity: { enabled: true, minimum: 2, maximum: 5 } }],
  });
  const [line] = (await stripe.checkout.sessions.listLineItems(id)).data;
  expect(line?.adjustable_quantity).toEqual({ enabled: true, minimum: 2, maximum: 5 });
  const field = `quantity.${line?.id}`;
  expect((await read(url)).text).toContain(`name="${field}"`);
  const wrong = await pay(url, { [field]: '6', adjust: '1' });
  expect(wrong.status).toBe(400);
  expect(wrong.text).toContain('Give a whole number from 2 to 5.');
  const updated = await pay(url, { [field]: '3', adjust: '1' });
  expect(updated.status).toBe(200);
  expect(updated.text).toContain('$36.00');
  const card = { card_number: '4242424242424242' };
  const unseen = await pay(url, { ...card, [field]: '4' });
  expect(unseen.status).toBe(409);
  expect(unseen.text).toContain('$48.00');
  expect((await pay(url, { ...card, [field]: '4' })).status).toBe(303);
  const paid = await stripe.checkout.sessions.retrieve(id, { expand: ['subscription'] });
  expect(paid).toMatchObject({ amount_total: 4800, amount_subtotal: 4800, status: 'complete' });
  expect((paid.subscription as Stripe.Subscription).items.data[0]?.quantity).toBe(4);
});

test('a session whose quantity does not fit its own limits is refused', async () => {
  const wrong = newSession({
    line_items: [{ price: price.id, quantity: 9, adjustable_quantity: { enabled: true, maximum: 5 } }],
  });
  await expect(wrong).rejects.toMatchObject({ code: undefined, param: 'line_items[0][quantity]', statusCode: 400 });
});
