/** Trying to get access without paying, and to keep it after the money is gone. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sign } from '../support/signed-events.ts';
import { startTollgate, type Tollgate, WEBHOOK_SECRET } from '../support/tollgate.ts';
import { until } from '../support/until.ts';

let tollgate: Tollgate;
const urls = { success_url: 'https://shop.example/', cancel_url: 'https://shop.example/' };

beforeAll(async () => {
  tollgate = await startTollgate();
  const { secret } = tollgate;
  await secret.post('/features', { code: 'export', name: 'Export', type: 'boolean' });
  const features = [{ code: 'export' }];
  const product = (await secret.post('/products', { name: 'Pro', features })).body.id;
  const recurring = { interval: 'month' };
  await secret.post('/prices', { product, currency: 'usd', unit_amount: 900, recurring, lookup_key: 'monthly' });
  await secret.post('/prices', { product, currency: 'usd', unit_amount: 1000, lookup_key: 'once' });
});
afterAll(() => tollgate.close());

async function entitled(customer: string): Promise<boolean> {
  return (await tollgate.secret.get(`/check?customer_id=${customer}&feature=export`)).body.entitled;
}

async function checkout(customer_id: string, lookup_key: string): Promise<string> {
  const made = await tollgate.secret.post('/checkout/sessions', { customer_id, lookup_key, ...urls });
  expect(made.status).toBe(201);
  return made.body.id;
}

/** @returns what was bought: the subscription, or the payment intent */
async function buy(customer: string, lookupKey: string): Promise<string> {
  const session = await checkout(customer, lookupKey);
  tollgate.sandbox.control.payCheckout(session, { email: `${customer}@example.com` });
  await tollgate.secret.get(`/checkout/sessions/${session}`);
  expect(await entitled(customer)).toBe(true);
  const { subscription, payment_intent } = await tollgate.stripe.checkout.sessions.retrieve(session);
  return (subscription ?? payment_intent) as string;
}

async function deliver(body: string, signature: string, path = '/api/v1/webhooks/stripe'): Promise<number> {
  const headers = { 'content-type': 'application/json', 'stripe-signature': signature };
  return (await fetch(tollgate.url + path, { method: 'POST', headers, body })).status;
}

describe('nobody gets access', () => {
  it('by leaving the checkout, nor by coming to the success page without having paid', async () => {
    const session = await checkout('leaver', 'monthly');
    const { body } = await tollgate.secret.get(`/checkout/sessions/${session}`);
    expect(body).toMatchObject({ status: 'open', payment_status: 'unpaid', applied: false });
    expect(await entitled('leaver')).toBe(false);
  });

  it('by a card that is declined', async () => {
    const session = await checkout('declined', 'once');
    const paid = tollgate.sandbox.control.payCheckout(session, {
      cardNumber: '4000000000000002',
      email: 'd@x.example',
    });
    expect(paid).toMatchObject({ ok: false });
    await tollgate.secret.get(`/checkout/sessions/${session}`);
    expect(await entitled('declined')).toBe(false);
  });

  it('by an event that says that an open session was paid, though it is signed', async () => {
    const id = await checkout('liar', 'once');
    const object = { id, object: 'checkout.session', status: 'complete', payment_status: 'paid', mode: 'payment' };
    const event = {
      id: 'evt_lie',
      object: 'event',
      type: 'checkout.session.completed',
      livemode: false,
      data: { object },
    };
    const body = JSON.stringify(event);
    expect(await deliver(body, sign(body, WEBHOOK_SECRET))).toBe(200);
    const settled = async () => (await tollgate.admin.get('/admin/events/evt_lie')).body.status !== 'received';
    await until(settled);
    expect(await entitled('liar')).toBe(false);
  });

  it('by an event that is not signed, or signed for other bytes, another time or with another secret', async () => {
    const body = JSON.stringify({ id: 'evt_forged', object: 'event', type: 'customer.created', data: { object: {} } });
    const good = sign(body, WEBHOOK_SECRET);
    const forged = [
      '',
      't=0',
      good.replace(/v1=/, 'v0='),
      good.replace(/t=\d+/, 't=1'),
      good.replace(/(t=\d+)/, `$1,t=${Math.floor(Date.now() / 1000) + 1}`),
      sign(`${body} `, WEBHOOK_SECRET),
      sign(body, 'whsec_another'),
      sign(body, ''),
      sign(body, WEBHOOK_SECRET, -301),
      sign(body, WEBHOOK_SECRET, 400),
    ];
    for (const signature of forged) expect(await deliver(body, signature), signature).toBe(400);
    expect(await deliver(body, good, '/api/v1/webhooks/stripe/__proto__')).toBe(404);
    expect((await tollgate.admin.get('/admin/events/evt_forged')).status).toBe(404);
  });
});

describe('nobody keeps access', () => {
  it('whose payment is refunded in parts that make the whole', async () => {
    const payment = await buy('parts', 'once');
    tollgate.sandbox.control.refund(payment, 400);
    await until(async () => (await tollgate.secret.get('/customers/parts')).body.purchases[0].refunded?.amount !== 0);
    tollgate.sandbox.control.refund(payment, 600);
    await until(async () => !(await entitled('parts')));
  });

  it('who disputes the payment', async () => {
    const payment = await buy('disputer', 'once');
    tollgate.sandbox.control.dispute(payment);
    await until(async () => !(await entitled('disputer')));
  });

  it('whose subscription is canceled at once', async () => {
    const subscription = await buy('canceled', 'monthly');
    await tollgate.stripe.subscriptions.cancel(subscription);
    await until(async () => !(await entitled('canceled')));
  });

  it('who is denied, though he pays; and paying again does not help', async () => {
    await buy('abuser', 'monthly');
    const deny = { project_id: tollgate.project.id, customer_id: 'abuser', feature: 'export', effect: 'deny' };
    expect((await tollgate.admin.post('/admin/grant', { ...deny, reason: 'Abuse' })).status).toBe(201);
    expect(await entitled('abuser')).toBe(false);
    const session = await checkout('abuser', 'once');
    tollgate.sandbox.control.payCheckout(session, { email: 'abuser@example.com' });
    await tollgate.secret.get(`/checkout/sessions/${session}`);
    expect(await entitled('abuser')).toBe(false);
  });

  it('by an event of better days that is sent once more', async () => {
    const subscription = await buy('replayer', 'monthly');
    const object = await tollgate.stripe.subscriptions.retrieve(subscription);
    await tollgate.stripe.subscriptions.cancel(subscription);
    await until(async () => !(await entitled('replayer')));
    const type = 'customer.subscription.updated';
    const body = JSON.stringify({ id: 'evt_old', object: 'event', type, livemode: false, data: { object } });
    expect(await deliver(body, sign(body, WEBHOOK_SECRET))).toBe(200);
    await until(async () => (await tollgate.admin.get('/admin/events/evt_old')).body.status !== 'received');
    expect(await entitled('replayer')).toBe(false);
  });
});
