import Stripe from 'stripe';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Sandbox, startSandbox } from '../src/index.ts';

let sandbox: Sandbox;
let stripe: Stripe;

beforeAll(async () => {
  sandbox = await startSandbox({ seed: 1 });
  stripe = new Stripe('sk_test_pages', { host: '127.0.0.1', port: sandbox.port, protocol: 'http' });
});

afterAll(() => sandbox.close());

async function open(path = '/'): Promise<{ status: number; text: string; headers: Headers }> {
  const answer = await fetch(`${sandbox.url}${path}`);
  return { status: answer.status, text: await answer.text(), headers: answer.headers };
}

async function press(fields: Record<string, string>, headers: Record<string, string> = {}): Promise<Response> {
  return await fetch(`${sandbox.url}/`, {
    method: 'POST',
    redirect: 'manual',
    headers,
    body: new URLSearchParams(fields),
  });
}

test('the control page is marked as a sandbox and loads nothing', async () => {
  const { status, text, headers } = await open();
  expect(status).toBe(200);
  expect(text).toContain('No real money moves here');
  expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'sha256-/);
  expect(text).not.toContain('<script');
  expect(text).not.toContain(' style="');
});

test('what exists and what happened is on the page, escaped', async () => {
  await stripe.customers.create({ email: 'ada@example.com' });
  await stripe.products.create({ name: '<script>alert(1)</script>' });
  const { text } = await open();
  expect(text).toContain('product.created');
  expect(text).toContain('customer.created');
  expect(text).not.toContain('<script>alert');
});

test('the clock moves by a day and by a month', async () => {
  const before = sandbox.control.state().now;
  const answer = await press({ action: 'advance', by: 'day' });
  expect(answer.status).toBe(303);
  expect(answer.headers.get('location')).toBe('/?did=advanced#clock');
  expect(sandbox.control.state().now - before).toBeGreaterThanOrEqual(86_400);
  await press({ action: 'advance', by: 'month' });
  expect(sandbox.control.state().now - before).toBeGreaterThanOrEqual(29 * 86_400);
  expect((await open('/?did=advanced')).text).toContain('The clock has moved.');
});

test('faults are set, refused where they make no sense, and taken away', async () => {
  await press({ action: 'faults', drop: '0.5', rateLimit: '7', seed: '3' });
  expect(sandbox.control.state().faults).toMatchObject({ drop: 0.5, rateLimit: 7, seed: 3 });
  const refused = await press({ action: 'faults', drop: '2' });
  expect(refused.status).toBe(400);
  expect(await refused.text()).toMatch(
    /name="drop"[^>]* value="2" aria-invalid="true"[^<]*<p class="error"[^>]*>Give a number from 0 to 1\./,
  );
  await press({ action: 'faults', clear: '1' });
  expect(sandbox.control.state().faults).toMatchObject({ drop: 0, rateLimit: null });
});

test('a payment can be made to fail next', async () => {
  const answer = await press({ action: 'fail_next', customer: 'cus_1' });
  expect(answer.headers.get('location')).toBe('/?did=failing#subscriptions');
});

test('an event is sent again, and one that does not exist is refused on the page', async () => {
  const [event] = (await stripe.events.list()).data;
  const sent = await press({ action: 'resend', event: event?.id ?? '' });
  expect(sent.headers.get('location')).toBe('/?did=resent#events');
  const refused = await press({ action: 'resend', event: 'evt_none' });
  expect(refused.status).toBe(404);
  expect(await refused.text()).toContain('No such event');
});

test('a button that does not exist is refused', async () => {
  expect((await press({ action: 'explode' })).status).toBe(400);
});

test.each([
  ["another site's form", { origin: 'https://evil.example' }],
  ['a webhook', { 'webhook-id': 'ntc_1' }],
])('%s does nothing', async (_, headers) => {
  const before = sandbox.control.state().now;
  const answer = await press({ action: 'advance', by: 'month' }, headers);
  expect(answer.status).toBe(403);
  expect(sandbox.control.state().now - before).toBeLessThan(60);
});

test('an address that nobody knows answers in the envelope of Stripe', async () => {
  const { status, text } = await open('/nowhere');
  expect(status).toBe(404);
  expect(JSON.parse(text)).toHaveProperty('error.message');
});

test('a payment is refunded, another disputed and the dispute lost', async () => {
  const product = await stripe.products.create({ name: 'Pro' });
  const price = await stripe.prices.create({ product: product.id, currency: 'usd', unit_amount: 4900 });
  const pay = async (): Promise<string> => {
    const session = await stripe.checkout.sessions.create({
      mode: 'payment',
      line_items: [{ price: price.id, quantity: 1 }],
      success_url: 'http://127.0.0.1:9/thanks',
    });
    const body = new URLSearchParams({ card_number: '4242424242424242' });
    await fetch(`${session.url}/pay`, { method: 'POST', redirect: 'manual', body });
    const { payment_intent } = await stripe.checkout.sessions.retrieve(session.id);
    const intent = await stripe.paymentIntents.retrieve(payment_intent as string);
    return intent.latest_charge as string;
  };
  const first = await pay();
  expect((await press({ action: 'refund', charge: first })).headers.get('location')).toBe('/?did=refunded#charges');
  expect(await stripe.charges.retrieve(first)).toMatchObject({ refunded: true, amount_refunded: 4900 });
  expect((await press({ action: 'refund', charge: first })).status).toBe(400);
  const second = await pay();
  expect((await press({ action: 'dispute', charge: second })).headers.get('location')).toBe('/?did=disputed#charges');
  const [dispute] = (await stripe.disputes.list({ charge: second })).data;
  expect((await open()).text).toContain('dispute: needs response');
  await press({ action: 'close_dispute', dispute: dispute?.id ?? '', outcome: 'lost' });
  expect(await stripe.disputes.retrieve(dispute?.id ?? '')).toMatchObject({ status: 'lost' });
  expect((await open()).text).toContain('dispute: lost');
});

test('a bank debit that is under way is settled, or returned', async () => {
  const product = await stripe.products.create({ name: 'Pro' });
  const price = await stripe.prices.create({ product: product.id, currency: 'eur', unit_amount: 4900 });
  const debit = async (): Promise<string> => {
    const session = await stripe.checkout.sessions.create({
      mode: 'payment',
      line_items: [{ price: price.id, quantity: 1 }],
      success_url: 'http://127.0.0.1:9/thanks',
    });
    const body = new URLSearchParams({ card_number: 'DE89 3704 0044 0532 0130 00' });
    await fetch(`${session.url}/pay`, { method: 'POST', redirect: 'manual', body });
    const after = await stripe.checkout.sessions.retrieve(session.id);
    expect(after).toMatchObject({ status: 'complete', payment_status: 'unpaid' });
    return after.payment_intent as string;
  };
  const first = await debit();
  expect((await open()).text).toContain('under way');
  await press({ action: 'settle', payment: first, ending: 'succeeds' });
  expect(await stripe.paymentIntents.retrieve(first)).toMatchObject({ status: 'succeeded' });
  const second = await debit();
  await press({ action: 'settle', payment: second, ending: 'fails' });
  expect(await stripe.paymentIntents.retrieve(second)).toMatchObject({ status: 'requires_payment_method' });
});
