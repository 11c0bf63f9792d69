import { expect, test } from 'vitest';
import { sandboxWithClient } from './support/sandbox.ts';
import { boughtOnce, DAY, monthlyPrice } from './support/shop.ts';

async function controlled() {
  const world = await sandboxWithClient();
  const call = async (method: string, path: string, body?: object, headers: Record<string, string> = {}) => {
    const response = await fetch(`${world.sandbox.url}/_sandbox/${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  return { ...world, call };
}

test('the state says the time and how much there is', async () => {
  const { stripe, call } = await controlled();
  await stripe.customers.create({});
  const { body } = await call('GET', 'state');
  expect(body).toMatchObject({ objects: { customer: 1, event: 1 }, nextDue: null });
  expect((await call('GET', 'objects/customer')).body.data).toMatchObject([{ object: 'customer' }]);
});

test('time is advanced, and a checkout paid, by other programs', async () => {
  const { stripe, call } = await controlled();
  const price = await monthlyPrice(stripe);
  const session = await stripe.checkout.sessions.create({
    mode: 'subscription',
    success_url: 'https://shop.example',
    line_items: [{ price: price.id, quantity: 1 }],
  });
  const declined = await call('POST', 'pay_checkout', { session: session.id, card_number: '4000000000000002' });
  expect(declined.body).toMatchObject({ ok: false, declineCode: 'generic_decline' });
  expect((await call('POST', 'pay_checkout', { session: session.id })).body).toMatchObject({ ok: true });
  const now = Number((await call('GET', 'state')).body.now);
  expect((await call('POST', 'advance', { days: 32 })).body.now).toBeGreaterThanOrEqual(now + 32 * DAY);
  expect((await stripe.invoices.list()).data).toHaveLength(2);
});

test('refunds and disputes are made from outside', async () => {
  const { stripe, control, call } = await controlled();
  const { intent } = await boughtOnce(stripe, control);
  const refund = await call('POST', 'refund', { payment: intent.id, amount: 100 });
  expect(refund.body).toMatchObject({ object: 'refund', amount: 100 });
  expect((await call('POST', 'fail_refund', { refund: refund.body.id })).body.status).toBe('failed');
  const dispute = await call('POST', 'dispute', { payment: intent.id });
  expect((await call('POST', 'close_dispute', { dispute: dispute.body.id, verdict: 'won' })).body.status).toBe('won');
});

test('faults are set and cleared from outside, and nonsense is refused', async () => {
  const { stripe, call } = await controlled();
  expect((await call('POST', 'faults', { drop: 0.5 })).body.drop).toBe(0.5);
  expect((await call('POST', 'faults', { drop: 2 })).status).toBe(400);
  expect((await call('POST', 'faults', { colour: 1 })).body).toMatchObject({ error: { code: 'parameter_unknown' } });
  expect((await call('POST', 'faults/clear')).body.drop).toBe(0);
  await call('POST', 'fail_requests', { outcome: 503, path: '/v1/products' });
  await expect(stripe.products.list()).rejects.toMatchObject({ statusCode: 503 });
  expect((await stripe.products.list()).data).toEqual([]);
});

test('neither a web page nor a webhook can steer the sandbox, and unknown operations are refused', async () => {
  const { call } = await controlled();
  expect((await call('POST', 'reset', {}, { Origin: 'https://evil.example' })).status).toBe(401);
  expect((await call('POST', 'reset', {}, { 'Webhook-Id': 'ntc_1' })).status).toBe(401);
  expect((await call('POST', 'rockets')).status).toBe(404);
  expect((await call('POST', 'advance', { seconds: 'many' })).body).toMatchObject({ error: { param: 'seconds' } });
});

test('everything is forgotten by a reset', async () => {
  const { stripe, call } = await controlled();
  await stripe.customers.create({});
  await call('POST', 'reset');
  expect((await stripe.customers.list()).data).toEqual([]);
});
