import Stripe from 'stripe';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Sandbox, startSandbox } from '../src/index.ts';

let sandbox: Sandbox;
let stripe: Stripe;
let monthly: Stripe.Price;
let yearly: Stripe.Price;
let foreign: Stripe.Price;
let configuration: Stripe.BillingPortal.Configuration;
let customer: Stripe.Customer;
let subscription: Stripe.Subscription;

async function newPrice(product: string, interval: 'month' | 'year', unit_amount: number): Promise<Stripe.Price> {
  return await stripe.prices.create({ product, currency: 'usd', unit_amount, recurring: { interval } });
}

beforeAll(async () => {
  sandbox = await startSandbox({ seed: 1 });
  stripe = new Stripe('sk_test_pages', { host: '127.0.0.1', port: sandbox.port, protocol: 'http' });
  const pro = await stripe.products.create({ name: 'Pro' });
  const other = await stripe.products.create({ name: 'Of another project' });
  monthly = await newPrice(pro.id, 'month', 1200);
  yearly = await newPrice(pro.id, 'year', 12000);
  foreign = await newPrice(other.id, 'month', 100);
  configuration = await stripe.billingPortal.configurations.create({
    features: {
      invoice_history: { enabled: true },
      payment_method_update: { enabled: true },
      subscription_cancel: { enabled: true, mode: 'at_period_end' },
      subscription_update: {
        enabled: true,
        default_allowed_updates: ['price'],
        products: [{ product: pro.id, prices: [monthly.id, yearly.id] }],
      },
    },
  });
});

afterAll(() => sandbox.close());

beforeEach(async () => {
  customer = await stripe.customers.create({ email: 'ada@example.com' });
  const session = await stripe.checkout.sessions.create({
    mode: 'subscription',
    customer: customer.id,
    line_items: [{ price: monthly.id, quantity: 1 }],
    success_url: 'http://127.0.0.1:9/thanks',
  });
  await fetch(`${session.url}/pay`, {
    method: 'POST',
    redirect: 'manual',
    body: new URLSearchParams({ card_number: '4242424242424242' }),
  });
  const [made] = (await stripe.subscriptions.list({ customer: customer.id })).data;
  if (made === undefined) throw new Error('The subscription was not made.');
  subscription = made;
});

async function portal(extra: Partial<Stripe.BillingPortal.SessionCreateParams> = {}): Promise<string> {
  const session = await stripe.billingPortal.sessions.create({
    customer: customer.id,
    configuration: configuration.id,
    return_url: 'http://127.0.0.1:9/account',
    ...extra,
  });
  return session.url;
}

async function read(url: string): Promise<{ status: number; text: string }> {
  const answer = await fetch(url);
  return { status: answer.status, text: await answer.text() };
}

async function press(
  url: string,
  fields: Record<string, string>,
): Promise<{ status: number; text: string; to: string }> {
  const answer = await fetch(url, { method: 'POST', redirect: 'manual', body: new URLSearchParams(fields) });
  const to = new URL(answer.headers.get('location') ?? '', url).href;
  return { status: answer.status, text: await answer.text(), to };
}

test('the portal shows the plan, when it renews, the card, the invoices and the way back', async () => {
  const { status, text } = await read(await portal());
  expect(status).toBe(200);
  expect(text).toContain('Pro');
  expect(text).toContain('$12.00 per month');
  expect(text).toMatch(/Renews on \d+ \w+ \d{4}/);
  expect(text).toContain('Visa ending in 4242');
  expect(text).toContain('>paid</span>');
  expect(text).toContain('href="http://127.0.0.1:9/account"');
});

test("a plan is canceled at the period's end, and can be kept after all", async () => {
  const url = await portal();
  const canceled = await press(url, { action: 'cancel', subscription: subscription.id });
  expect(canceled.status).toBe(303);
  const shown = (await read(canceled.to)).text;
  expect(shown).toContain('The plan is canceled.');
  expect(shown).toMatch(/Ends on \d+ \w+ \d{4} and will not renew/);
  const end = subscription.items.data[0]?.current_period_end;
  expect(await stripe.subscriptions.retrieve(subscription.id)).toMatchObject({ status: 'active', cancel_at: end });
  const kept = await press(url, { action: 'resume', subscription: subscription.id });
  expect((await read(kept.to)).text).toContain('The plan goes on.');
  expect(await stripe.subscriptions.retrieve(subscription.id)).toMatchObject({ cancel_at: null });
});

test('a plan is switched to one that the configuration offers, and to no other', async () => {
  const url = await portal();
  const page = (await read(url)).text;
  expect(page).toContain(yearly.id);
  expect(page).not.toContain(foreign.id);
  const refused = await press(url, { action: 'switch', subscription: subscription.id, price: foreign.id });
  expect(refused.status).toBe(400);
  expect(refused.text).toContain('does not allow');
  const switched = await press(url, { action: 'switch', subscription: subscription.id, price: yearly.id });
  expect((await read(switched.to)).text).toContain('$120.00 per year');
  const after = await stripe.subscriptions.retrieve(subscription.id);
  expect(after.items.data[0]?.price.id).toBe(yearly.id);
});

test('another card is saved, and a declined one is told', async () => {
  const url = await portal();
  const refused = await press(url, { action: 'card', card_number: '4000000000000002' });
  expect(refused.status).toBe(402);
  expect(refused.text).toContain('Your card was declined.');
  const wrong = await press(url, { action: 'card', card_number: '123' });
  expect(wrong.status).toBe(400);
  expect(wrong.text).toContain('id="card_number-error"');
  const filled = await press(url, { action: 'card', card_number: '123', fill: '4000000000000341' });
  expect(filled.text).toContain('value="4000 0000 0000 0341"');
  const saved = await press(url, { action: 'card', card_number: '5555555555554444', expiry: '08 / 41' });
  expect((await read(saved.to)).text).toMatch(/Mastercard ending in 4444, until 0?8\/2041/);
});

test('what the configuration does not allow is neither offered nor done', async () => {
  const bare = await stripe.billingPortal.configurations.create({ features: { invoice_history: { enabled: false } } });
  const url = await portal({ configuration: bare.id });
  const { text } = await read(url);
  for (const offer of ['Cancel this plan', 'Switch to another plan', 'Use another card', 'Invoices']) {
    expect(text).not.toContain(offer);
  }
  expect((await press(url, { action: 'cancel', subscription: subscription.id })).status).toBe(400);
  expect(await stripe.subscriptions.retrieve(subscription.id)).toMatchObject({ cancel_at: null });
});

test("somebody else's subscription is out of reach", async () => {
  const theirs = subscription.id;
  customer = await stripe.customers.create({ email: 'eve@example.com' });
  const refused = await press(await portal(), { action: 'cancel', subscription: theirs });
  expect(refused.status).toBe(400);
  expect(await stripe.subscriptions.retrieve(theirs)).toMatchObject({ cancel_at: null });
});

test('a flow opens at what the customer came for, and leads back when it is done', async () => {
  const url = await portal({
    flow_data: {
      type: 'subscription_cancel',
      subscription_cancel: { subscription: subscription.id },
      after_completion: { type: 'redirect', redirect: { return_url: 'http://127.0.0.1:9/sorry' } },
    },
  });
  expect((await read(url)).text).toContain('<details open><summary>Cancel this plan');
  expect((await press(url, { action: 'cancel', subscription: subscription.id })).to).toBe('http://127.0.0.1:9/sorry');
});

test('a link that nobody was given leads nowhere', async () => {
  expect((await read(`${sandbox.url}/p/session/guess`)).status).toBe(404);
});

test("another site's form cancels nothing", async () => {
  const answer = await fetch(await portal(), {
    method: 'POST',
    headers: { origin: 'https://evil.example' },
    body: new URLSearchParams({ action: 'cancel', subscription: subscription.id }),
  });
  expect(answer.status).toBe(403);
  expect(await stripe.subscriptions.retrieve(subscription.id)).toMatchObject({ cancel_at: null });
});

test('a change says what it costs before it is made: a longer period is charged at once, less what is left', async () => {
  const url = await portal();
  const shown = await press(url, { action: 'preview', subscription: subscription.id, price: yearly.id });
  expect(shown.status).toBe(200);
  const due = /Charged now<\/span><span class="num">\$([\d.]+)</.exec(shown.text)?.[1];
  expect(await stripe.subscriptions.retrieve(subscription.id)).toMatchObject({ items: subscription.items });
  await press(url, { action: 'switch', subscription: subscription.id, price: yearly.id });
  const [invoice] = (await stripe.invoices.list({ customer: customer.id, limit: 1 })).data;
  expect(due).toBe(((invoice?.amount_due ?? 0) / 100).toFixed(2));
  expect(invoice?.amount_due).toBeLessThanOrEqual(12000);
  const year = (await stripe.subscriptions.retrieve(subscription.id)).items.data[0]?.current_period_end ?? 0;
  const renewal = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeZone: 'UTC' }).format(year * 1000);
  expect(shown.text).toContain(`Then $120.00 per year, from ${renewal}.`);
});

async function adjustable(behavior: 'always_invoice' | 'create_prorations' | 'none'): Promise<string> {
  const product = monthly.product as string;
  const made = await stripe.billingPortal.configurations.create({
    features: {
      subscription_update: {
        enabled: true,
        default_allowed_updates: ['quantity'],
        products: [{ product, prices: [monthly.id], adjustable_quantity: { enabled: true, minimum: 1, maximum: 5 } }],
        proration_behavior: behavior,
      },
    },
  });
  expect(made.features.subscription_update.products?.[0]?.adjustable_quantity).toEqual({
    enabled: true,
    minimum: 1,
    maximum: 5,
  });
  return await portal({ configuration: made.id });
}

test.each([
  ['always_invoice', /Charged now<\/span><span class="num">\$24\.00</],
  ['create_prorations', /Nothing is charged now\.<\/strong> \$24\.00 for the rest of this period come on top/],
  ['none', /Nothing is charged now\.<\/strong><\/p>/],
] as const)('the quantity is changed within its limits, and costs what was said: %s', async (behavior, words) => {
  const url = await adjustable(behavior);
  const change = { subscription: subscription.id, price: '' };
  const wrong = await press(url, { ...change, action: 'preview', quantity: '6' });
  expect(wrong.status).toBe(400);
  expect(wrong.text).toMatch(/aria-invalid="true".*Give a whole number from 1 to 5\./s);
  expect((await press(url, { ...change, action: 'switch', quantity: '9' })).status).toBe(400);
  expect((await press(url, { ...change, action: 'preview', quantity: '3' })).text).toMatch(words);
  expect((await press(url, { ...change, action: 'switch', quantity: '3' })).status).toBe(303);
  expect((await stripe.subscriptions.retrieve(subscription.id)).items.data[0]?.quantity).toBe(3);
  const { data } = await stripe.invoices.list({ customer: customer.id });
  expect(data.length).toBe(behavior === 'always_invoice' ? 2 : 1);
});

test('whoever cancels may say why, where the configuration asks', async () => {
  const asking = await stripe.billingPortal.configurations.create({
    features: {
      subscription_cancel: {
        enabled: true,
        mode: 'at_period_end',
        cancellation_reason: { enabled: true, options: ['too_expensive', 'other'] },
      },
    },
  });
  const url = await portal({ configuration: asking.id });
  expect((await read(url)).text).toContain('It costs too much');
  const reason = { feedback: 'too_expensive', comment: 'Half would be fine' };
  await press(url, { action: 'cancel', subscription: subscription.id, ...reason });
  const { cancellation_details } = await stripe.subscriptions.retrieve(subscription.id);
  expect(cancellation_details).toMatchObject({ ...reason, reason: 'cancellation_requested' });
});
