import type Stripe from 'stripe';
import { expect, test } from 'vitest';
import { sandboxWithClient } from './support/sandbox.ts';
import { monthlyPrice } from './support/shop.ts';

async function follow(url: string, query = ''): Promise<Response> {
  return await fetch(`${url}${query}`, { redirect: 'manual' });
}

/** The session that a visit has opened. */
async function sessionOf(stripe: Stripe, visit: Response): Promise<Stripe.Checkout.Session> {
  const id = visit.headers.get('location')?.split('/').at(-1) ?? '';
  return await stripe.checkout.sessions.retrieve(id);
}

test('who follows a payment link gets a checkout session, and what they buy carries only what the link says', async () => {
  const { stripe, control } = await sandboxWithClient();
  const price = await monthlyPrice(stripe);
  const link = await stripe.paymentLinks.create({
    line_items: [{ price: price.id, quantity: 1 }],
    metadata: { campaign: 'spring' },
    subscription_data: { trial_period_days: 7, metadata: { from: 'link' } },
  });
  expect(link).toMatchObject({ active: true, currency: 'usd', submit_type: 'auto' });
  const visit = await follow(link.url, '?client_reference_id=ann&prefilled_email=ann%40example.com');
  expect(visit.status).toBe(303);
  const session = await sessionOf(stripe, visit);
  expect(session).toMatchObject({
    mode: 'subscription',
    payment_link: link.id,
    client_reference_id: 'ann',
    customer_email: 'ann@example.com',
    metadata: { campaign: 'spring' },
  });
  const paid = control.payCheckout(session.id);
  expect(paid).toMatchObject({ ok: true, redirectUrl: `${link.url}/thanks` });
  expect(await (await follow(`${link.url}/thanks`)).text()).toContain('Thanks for your payment');
  const [bought] = (await stripe.subscriptions.list()).data;
  expect(bought).toMatchObject({ status: 'trialing', metadata: { from: 'link' } });
  const listed = await stripe.checkout.sessions.list({ payment_link: link.id });
  expect(listed.data.map(({ id }) => id)).toEqual([session.id]);
});

test('each visit opens a session of its own, until the link is switched off or has sold what it may', async () => {
  const { stripe, control } = await sandboxWithClient();
  const link = await stripe.paymentLinks.create({
    line_items: [{ price_data: { currency: 'usd', unit_amount: 500, product_data: { name: 'Ticket' } }, quantity: 2 }],
    restrictions: { completed_sessions: { limit: 1 } },
    after_completion: { type: 'redirect', redirect: { url: 'https://shop.example/thanks' } },
  });
  const first = await sessionOf(stripe, await follow(link.url));
  const second = await sessionOf(stripe, await follow(link.url));
  expect(second.id).not.toBe(first.id);
  expect(first).toMatchObject({ mode: 'payment', amount_total: 1000, success_url: 'https://shop.example/thanks' });
  control.payCheckout(first.id);
  expect((await follow(link.url)).status).toBe(410);
  await stripe.paymentLinks.update(link.id, { restrictions: '' });
  expect((await follow(link.url)).status).toBe(303);
  await stripe.paymentLinks.update(link.id, { active: false, inactive_message: 'Sold out' });
  const over = await follow(link.url);
  expect(over.status).toBe(410);
  expect(await over.text()).toContain('Sold out');
});
