/** Hazards of building on Stripe that no other file has a place for, with the whole service on the sandbox. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTollgate, type Tollgate } from '../support/tollgate.ts';

let tollgate: Tollgate;
const urls = { success_url: 'https://shop.example/', cancel_url: 'https://shop.example/' };
const products: Record<string, string> = {};
const prices: Record<string, string> = {};

beforeAll(async () => {
  tollgate = await startTollgate();
  const { secret } = tollgate;
  for (const code of ['basic', 'pro', 'report']) {
    await secret.post('/features', { code, name: code, type: 'boolean' });
    const product = await secret.post('/products', { name: code, features: [{ code }] });
    products[code] = product.body.id;
    const recurring = code === 'report' ? {} : { recurring: { interval: 'month' } };
    const price = {
      product: product.body.id,
      currency: 'usd',
      unit_amount: code === 'pro' ? 2000 : 1000,
      ...recurring,
    };
    prices[code] = (await secret.post('/prices', { ...price, lookup_key: code })).body.id;
  }
});
afterAll(() => tollgate.close());

const check = async (customer: string, feature: string) =>
  (await tollgate.secret.get(`/check?customer_id=${customer}&feature=${feature}`)).body;
const isEntitled = async (customer: string, feature: string): Promise<boolean> =>
  (await check(customer, feature)).entitled;

async function buy(customer: string, lookupKey: string): Promise<{ subscription: string; intent: string }> {
  const made = await tollgate.secret.post('/checkout/sessions', {
    customer_id: customer,
    lookup_key: lookupKey,
    ...urls,
  });
  expect(made.status).toBe(201);
  tollgate.sandbox.control.payCheckout(made.body.id, { email: `${customer}@example.com` });
  const read = await tollgate.secret.get(`/checkout/sessions/${made.body.id}`);
  expect(read.body.applied).toBe(true);
  const { subscription, payment_intent } = await tollgate.stripe.checkout.sessions.retrieve(made.body.id);
  return { subscription: subscription as string, intent: payment_intent as string };
}

/** Nothing is on its way any more, neither at Stripe nor here. */
async function quiet(): Promise<void> {
  await tollgate.sandbox.control.settled();
  await tollgate.until(async () => {
    const { rows } = await tollgate.database.pool.query(
      `select 1 from tollgate.events where status in ('received', 'failed') limit 1`,
    );
    return rows.length === 0;
  });
}

describe('a change of plan', () => {
  it('that waits for its payment leaves the plan as it was', async () => {
    const { subscription } = await buy('u_pending', 'basic');
    const { customer, items } = await tollgate.stripe.subscriptions.retrieve(subscription);
    tollgate.sandbox.control.failNextPayment({ customer: customer as string });
    const changed = await tollgate.stripe.subscriptions.update(subscription, {
      items: [{ id: items.data[0]?.id ?? '', price: prices.pro ?? '' }],
      payment_behavior: 'pending_if_incomplete',
      proration_behavior: 'always_invoice',
    });
    expect(changed.pending_update).not.toBeNull();
    await quiet();
    expect(await isEntitled('u_pending', 'basic')).toBe(true);
    expect(await isEntitled('u_pending', 'pro')).toBe(false);
  });

  it('that a schedule holds ready gives nothing before its phase begins', async () => {
    const { subscription } = await buy('u_scheduled', 'basic');
    const schedule = await tollgate.stripe.subscriptionSchedules.create({ from_subscription: subscription });
    const phase = schedule.phases[0];
    await tollgate.stripe.subscriptionSchedules.update(schedule.id, {
      phases: [
        {
          items: [{ price: prices.basic ?? '', quantity: 1 }],
          start_date: phase?.start_date ?? 0,
          end_date: phase?.end_date ?? 0,
        },
        { items: [{ price: prices.pro ?? '', quantity: 1 }], duration: { interval: 'month', interval_count: 1 } },
      ],
    });
    await quiet();
    expect([await isEntitled('u_scheduled', 'basic'), await isEntitled('u_scheduled', 'pro')]).toEqual([true, false]);
    tollgate.sandbox.control.advance({ days: 32 });
    await quiet();
    await tollgate.until(async () => await isEntitled('u_scheduled', 'pro'));
    expect(await isEntitled('u_scheduled', 'basic')).toBe(false);
  });

  it('that takes an item away takes its feature, and a stale update brings nothing back', async () => {
    const { subscription } = await buy('u_items', 'basic');
    const added = await tollgate.stripe.subscriptionItems.create({ subscription, price: prices.pro ?? '' });
    await quiet();
    expect([await isEntitled('u_items', 'basic'), await isEntitled('u_items', 'pro')]).toEqual([true, true]);
    const [older] = (await tollgate.stripe.events.list({ type: 'customer.subscription.updated', limit: 1 })).data;
    await tollgate.stripe.subscriptionItems.del(added.id);
    await quiet();
    tollgate.sandbox.control.resendEvent(older?.id ?? '');
    await quiet();
    expect([await isEntitled('u_items', 'basic'), await isEntitled('u_items', 'pro')]).toEqual([true, false]);
  });
});

describe('what Stripe owns', () => {
  it('when it is archived takes nothing from who bought it', async () => {
    await buy('u_archived', 'report');
    await buy('u_archived', 'pro');
    await tollgate.secret.patch(`/prices/${prices.report}`, { active: false });
    await tollgate.stripe.products.update(products.report ?? '', { active: false });
    await tollgate.stripe.prices.update(prices.pro ?? '', { active: false });
    await quiet();
    expect([await isEntitled('u_archived', 'report'), await isEntitled('u_archived', 'pro')]).toEqual([true, true]);
    await tollgate.stripe.products.update(products.report ?? '', { active: true });
    await tollgate.stripe.prices.update(prices.report ?? '', { active: true });
    await tollgate.stripe.prices.update(prices.pro ?? '', { active: true });
    await quiet();
  });
});

describe('ten events about one payment', () => {
  it('make one purchase, whatever they are called and however often they come', async () => {
    const { intent } = await buy('u_once', 'report');
    await quiet();
    const events = await tollgate.stripe.events.list({ limit: 100 });
    const about = events.data.filter(({ data }) => JSON.stringify(data.object).includes(intent));
    expect(about.length).toBeGreaterThanOrEqual(3);
    for (let round = 0; round < 2; round++) {
      for (const { id } of about) tollgate.sandbox.control.resendEvent(id);
    }
    await quiet();
    const { rows } = await tollgate.database.pool.query(
      `select (select count(*)::int from tollgate.facts where object_id = $1) as facts,
              (select count(*)::int from tollgate.fact_versions where object_id = $1) as versions,
              (select count(*)::int from tollgate.payments where id = $1) as payments`,
      [intent],
    );
    expect(rows[0]).toEqual({ facts: 1, versions: 1, payments: 1 });
    expect((await check('u_once', 'report')).reason).toBe('purchase');
  });
});

describe('a refund', () => {
  it('takes away neither a grant nor another purchase of the same feature', async () => {
    const first = await buy('u_refunded', 'report');
    await buy('u_refunded', 'report');
    tollgate.sandbox.control.refund(first.intent);
    await quiet();
    expect(await check('u_refunded', 'report')).toMatchObject({ entitled: true, reason: 'purchase' });
    const second = (await tollgate.secret.get('/customers/u_refunded')).body.purchases.find(
      (purchase: { id: string }) => purchase.id !== first.intent,
    );
    const about = { project_id: tollgate.project.id, customer_id: 'u_refunded', feature: 'report', reason: 'sorry' };
    await tollgate.admin.post('/admin/grant', about);
    tollgate.sandbox.control.refund(second.id);
    await quiet();
    await tollgate.until(async () => (await check('u_refunded', 'report')).reason === 'grant');
  });
});
